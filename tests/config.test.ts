import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfig } from "../src/config.ts";

const NO_FILE = { SALLYPORT_CONFIG: "/nonexistent/sallyport.toml" };

test("a flag wins over a variable, a variable over the file, the file over the default, and each says so", () => {
	const folder = mkdtempSync(join(tmpdir(), "sallyport-config-"));
	try {
		const file = join(folder, "sallyport.toml");
		writeFileSync(
			file,
			'log_level = "warn"\nlog_format = "pretty"\npublic_url = "http://localhost:1"\n',
		);
		const config = parseConfig(["--log-level", "debug"], {
			SALLYPORT_CONFIG: file,
			SALLYPORT_LOG_LEVEL: "error",
			SALLYPORT_PUBLIC_URL: "http://localhost:2",
		});
		expect(config.logLevel).toBe("debug");
		expect(config.publicUrl).toBe("http://localhost:2");
		expect(config.logFormat).toBe("pretty");
		expect(config.origins).toMatchObject({
			log_level: "flag",
			public_url: "environment",
			log_format: "file",
			listen: "default",
		});
	} finally {
		rmSync(folder, { recursive: true });
	}
});

test("every setting is shown as it is in force, with where it comes from, but for what may be a secret", () => {
	const { settings } = parseConfig(["--data-dir", "/d", "--log-level=warn"], {
		...NO_FILE,
		SALLYPORT_ALERT_WEBHOOK: "https://hush.example.org/hush",
		SALLYPORT_TRUSTED_PROXY: "10.0.0.1, 10.0.0.2",
	});
	const shown = new Map(
		settings.map(({ name, value, origin }) => [name, [value, origin]]),
	);
	expect(Object.fromEntries(shown)).toMatchObject({
		data_dir: ["/d", "flag"],
		cache_dir: ["/d/cache", "default"],
		kek_file: ["/d/master.key", "default"],
		listen: [["localhost:8080"], "default"],
		tls: ["off", "default"],
		log_level: ["warn", "flag"],
		trusted_proxy: [["10.0.0.1", "10.0.0.2"], "environment"],
		alert_webhook: ["(set, and not shown)", "environment"],
		acme_email: [null, "default"],
	});
	expect(JSON.stringify(settings)).not.toContain("hush");
});

test("the socket and the cache lie beside the data, unless they are placed as near as the data is", () => {
	const folder = mkdtempSync(join(tmpdir(), "sallyport-config-"));
	try {
		const file = join(folder, "sallyport.toml");
		writeFileSync(
			file,
			'data_dir = "/d"\ncache_dir = "/c"\nadmin_socket = "/r/admin.sock"\n',
		);
		const placesOf = (flags: readonly string[], path: string) => {
			const { dataDir, cacheDir, adminSocket } = parseConfig(flags, {
				SALLYPORT_CONFIG: path,
			});
			return [dataDir, cacheDir, adminSocket];
		};
		expect(placesOf([], file)).toEqual(["/d", "/c", "/r/admin.sock"]);
		expect(placesOf(["--data-dir", "/x"], file)).toEqual([
			...["/x", "/x/cache", "/x/admin.sock"],
		]);
		expect(
			placesOf(["--data-dir", "/x", "--cache-dir", "/y"], "/nonexistent"),
		).toEqual(["/x", "/y", "/x/admin.sock"]);
	} finally {
		rmSync(folder, { recursive: true });
	}
});

describe("what is refused, with what to do", () => {
	const cases: readonly (readonly [string, readonly string[], string])[] = [
		["an unknown flag", ["--lisen", "localhost:1"], "did you mean --listen"],
		["a flag without a value", ["--listen"], "--listen ADDR:PORT"],
		["an address without a port", ["--listen", "localhost"], "localhost:8080"],
		[
			"a public URL with a path",
			["--public-url", "https://a.example/mcp"],
			"without a path",
		],
		[
			"a level that is none",
			["--log-level", "loud"],
			"debug, info, warn or error",
		],
		["a network that is none", ["--trusted-proxy", "10.0.0"], "10.0.0.0/8"],
	];
	for (const [what, args, hint] of cases)
		test(what, () => {
			expect(() => parseConfig(args, NO_FILE)).toThrow(
				expect.objectContaining({
					code: "invalid",
					hint: expect.stringContaining(hint),
				}),
			);
		});
});

test("how to serve is read from flags, variables and the file alike", () => {
	const config = parseConfig(["--public-url", "https://gate.example.org/"], {
		...NO_FILE,
		SALLYPORT_ACME_EMAIL: "ada@example.org",
		SALLYPORT_TRUSTED_PROXY: "10.0.0.1, 10.1.0.0/16",
		SALLYPORT_TLS: "acme",
	});
	expect(config.publicUrl).toBe("https://gate.example.org");
	expect(config.trustedProxies).toEqual(["10.0.0.1/32", "10.1.0.0/16"]);
	expect(config.tls).toMatchObject({ mode: "acme", email: "ada@example.org" });
	expect(config.origins).toMatchObject({
		tls: "environment",
		listen: "default",
	});
});

test("what was chosen in the browser counts where nothing else is said, and is judged like the rest", () => {
	const stored = { public_url: "https://chosen.example.org" };
	const open = (...args: readonly string[]) =>
		parseConfig(args, NO_FILE).withDatabase(stored);
	const chosen = open("--tls", "acme");
	expect(chosen.publicUrl).toBe("https://chosen.example.org");
	expect(chosen.origins["public_url"]).toBe("database");
	const fixed = open("--public-url", "https://fixed.example.org");
	expect(fixed.publicUrl).toBe("https://fixed.example.org");
	expect(fixed.origins["public_url"]).toBe("flag");
	expect(() => open("--tls", "off")).toThrow("in clear");
});
