import { expect, test } from "bun:test";
import fc from "fast-check";
import {
	encodeRecoveryCode,
	parseRecoveryCode,
} from "../../src/ops/recovery-code.ts";

const keys = fc.uint8Array({ minLength: 32, maxLength: 32 });

test("a code gives its key back, however it is written down", () => {
	fc.assert(
		fc.property(keys, (kek) => {
			const code = encodeRecoveryCode(kek);
			expect(code).toMatch(
				/^([0-9A-HJKMNP-TV-Z]{4}-){13}[0-9A-HJKMNP-TV-Z]{4}$/,
			);
			for (const written of [
				code,
				code.toLowerCase(),
				` ${code.replaceAll("-", " ")}\n`,
				code.replaceAll("-", "").replaceAll("0", "o").replaceAll("1", "l"),
			])
				expect(Buffer.from(parseRecoveryCode(written) ?? [])).toEqual(
					Buffer.from(kek),
				);
		}),
	);
});

test("a slip of the pen is noticed", () => {
	fc.assert(
		fc.property(keys, fc.nat(55), (kek, at) => {
			const plain = encodeRecoveryCode(kek).replaceAll("-", "");
			const other = plain[at] === "7" ? "8" : "7";
			expect(
				parseRecoveryCode(plain.slice(0, at) + other + plain.slice(at + 1)),
			).toBeNull();
		}),
	);
	for (const text of ["", "correct horse battery staple", "0000"])
		expect(parseRecoveryCode(text)).toBeNull();
});
