import { expect, test } from "bun:test";
import fc from "fast-check";
import type { GatewayAddress } from "../../src/ops/address.ts";
import {
	decideSetup,
	nextSetupStep,
	readSetupFacts,
	SETUP_STEPS,
	type SetupFacts,
	undecideSetup,
} from "../../src/ops/setup-steps.ts";
import { openDatabase } from "../../src/store/database.ts";
import { createUser } from "../../src/store/users.ts";
import {
	type Certificates,
	noCertificates,
} from "../../src/tls/certificates.ts";

const NOTHING: SetupFacts = {
	hasOwner: false,
	isKitSaved: false,
	isAddressed: false,
	hasServer: false,
	hasClient: false,
	isFinished: false,
};

test("each fact that comes true leads one step on", () => {
	let facts = NOTHING;
	const seen = [nextSetupStep(facts)];
	for (const fact of Object.keys(NOTHING)) {
		facts = { ...facts, [fact]: true };
		seen.push(nextSetupStep(facts));
	}
	expect(seen).toEqual([
		"welcome",
		"owner",
		"address",
		"server",
		"client",
		"done",
		null,
	]);
});

test("whatever order facts come in, the step is the first that is not done", () => {
	const some = fc.record({
		hasOwner: fc.boolean(),
		isKitSaved: fc.boolean(),
		isAddressed: fc.boolean(),
		hasServer: fc.boolean(),
		hasClient: fc.boolean(),
		isFinished: fc.boolean(),
	});
	fc.assert(
		fc.property(some, (facts) => {
			const step = nextSetupStep(facts);
			const undone = Object.values(facts).indexOf(false);
			const isOver = facts.isFinished && facts.hasOwner && facts.isKitSaved;
			expect(step).toBe(isOver ? null : (SETUP_STEPS[undone] ?? null));
		}),
	);
});

test("facts are read from what is there; a decision stands for what is not, until it does not hold any more", () => {
	const db = openDatabase(":memory:");
	let origin = "https://203.0.113.9";
	const certificates: Certificates = {
		...noCertificates(),
		source: "acme",
		list: () => [
			{
				names: ["gate.example.org"],
				trusted: true,
				issuer: "a CA",
				fingerprint: "",
				notBefore: 0,
				notAfter: 1,
				renewAt: 1,
				explanationUrl: null,
				failure: null,
			},
		],
	};
	const read = (security: GatewayAddress["security"] = "own"): SetupFacts =>
		readSetupFacts({
			db,
			certificates,
			address: {
				origin: () => origin,
				isNamed: () => true,
				fixedBy: null,
				security,
				orders: null,
				move: () => {},
			},
		});
	expect(read()).toEqual(NOTHING);
	createUser(
		db,
		{ email: "ada@example.org", role: "owner", passwordHash: null },
		1,
	);
	expect(read()).toEqual({ ...NOTHING, hasOwner: true });
	expect(read("proxy").isAddressed).toBe(true);
	origin = "https://gate.example.org:8443";
	expect(read().isAddressed).toBe(true);
	origin = "https://other.example.org";
	expect(read().isAddressed).toBe(false);
	decideSetup(db, "address", 1);
	decideSetup(db, "done", 1);
	expect(read()).toMatchObject({ isAddressed: true, isFinished: true });
	undecideSetup(db, "address");
	expect(read().isAddressed).toBe(false);
});
