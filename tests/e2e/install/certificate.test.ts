/**
 * `curl … | sh` on a bare Debian machine with an address of its own, and a certificate authority that looks at it from
 * outside: from nothing to a gateway that a real client trusts, by name and by address, with Node nowhere.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { version as VERSION } from "../../../package.json";
import { parseIdentifiers } from "../../../src/tls/identifiers.ts";
import { createSelfSigned } from "../../../src/tls/self-signed.ts";
import { createBrowser } from "../../support/browser.ts";
import { claimAt } from "../../support/claim.ts";
import { createSdk2Client } from "../../support/clients/sdk2.ts";
import {
	type Machine,
	machineTools,
	startMachine,
} from "../../support/machine.ts";
import { type Pebble, pebbleTools, startPebble } from "../../support/pebble.ts";
import { reachHere } from "../../support/reach.ts";
import { type Releases, startReleases } from "../../support/releases.ts";
import { describeWith, executable } from "../../support/tools.ts";
import {
	startTunnelProxy,
	type TunnelProxy,
} from "../../support/tunnel-proxy.ts";

setDefaultTimeout(120_000);

const NAME = "gate.example.test";
const OWNER = { email: "ada@example.org", password: "a password of ada" };

describeWith(
	[...machineTools(), ...pebbleTools(), executable()],
	"from nothing to a trusted gateway",
	() => {
		let machine: Machine;
		let pebble: Pebble;
		let releases: Releases;
		let proxy: TunnelProxy;

		beforeAll(async () => {
			machine = await startMachine({ network: "own" });
			const { address, neighbour } = machine;
			const mirror = await createSelfSigned(
				parseIdentifiers([neighbour]),
				Math.floor(Date.now() / 1000),
			);
			[pebble, proxy] = await Promise.all([
				startPebble({ httpPort: 80, address: neighbour }),
				startTunnelProxy(neighbour),
			]);
			await pebble.setAddress(NAME, [address]);
			releases = startReleases({ address: neighbour, tls: mirror });
			releases.add(VERSION, readFileSync(executable().path as string));
			releases.point(VERSION);
			machine.write(
				"/usr/local/share/ca-certificates/mirror.crt",
				mirror.chain,
			);
			machine.write("/etc/ssl/acme-ca.pem", pebble.endpoint.chain);
			await machine.shell("update-ca-certificates");
		}, 300_000);

		afterAll(async () => {
			await machine?.stop();
			proxy?.stop();
			await Promise.all([pebble?.stop(), releases?.stop()]);
		});

		/** As a person types it; what only this test needs comes in the service's variables. */
		const install = (flags = "") => {
			const authorities = Bun.env["NODE_EXTRA_CA_CERTS"];
			if (authorities)
				machine.write("/etc/ssl/extra.pem", readFileSync(authorities));
			machine.write(
				"/etc/sallyport/sallyport.env",
				[
					`SALLYPORT_ACME_DIRECTORY=${pebble.directory}`,
					"SALLYPORT_ACME_CA=/etc/ssl/acme-ca.pem",
					`HTTPS_PROXY=${proxy.url}`,
					...(authorities ? ["NODE_EXTRA_CA_CERTS=/etc/ssl/extra.pem"] : []),
					...(Bun.env["NPM_CONFIG_REGISTRY"]
						? [`NPM_CONFIG_REGISTRY=${Bun.env["NPM_CONFIG_REGISTRY"]}`]
						: []),
				].join("\n"),
			);
			return machine.run([
				...["sh", "-c"],
				`curl -fsSL ${releases.url}/install.sh | sh -s -- ${flags}`,
			]);
		};
		const nameLeadsTo = (address: string): void =>
			machine.write(
				"/etc/hosts",
				`127.0.0.1 localhost\n::1 localhost\n${address} ${NAME}\n`,
			);
		const linkOf = (stdout: string): string =>
			/set it up {2}(\S+)/.exec(stdout)?.[1] ?? "";
		const reach = async () => reachHere(await pebble.root(), machine.address);
		const certificates = async () =>
			JSON.parse(await machine.shell("sallyport certificate show --json"))
				.certificates as readonly Record<string, unknown>[];
		const purge = async () => {
			const { code } = await install("--uninstall --purge --yes");
			expect(code).toBe(0);
		};

		test("with a domain it ends with a link that a browser trusts", async () => {
			nameLeadsTo(machine.address);
			const { code, stdout, stderr } = await install(
				`--domain ${NAME} --email ${OWNER.email}`,
			);
			expect(stderr).toBe("");
			expect(code).toBe(0);
			expect(linkOf(stdout)).toStartWith(`https://${NAME}/setup#sp_su_`);
			expect(await certificates()).toMatchObject([
				{ names: [NAME], trusted: true, failure: null },
			]);
			const claimed = await claimAt(linkOf(stdout), OWNER, await reach());
			expect(claimed.status).toBe(303);
		});

		test("socket and caches are where the service's are, and nobody else's", async () => {
			expect(
				await machine.shell(
					"stat -c '%a %U' /run/sallyport /run/sallyport/admin.sock /var/cache/sallyport /var/lib/sallyport",
				),
			).toBe("750 sallyport\n660 sallyport\n700 sallyport\n700 sallyport\n");
			expect(
				await machine.shell("ls /var/lib/sallyport; cat /etc/sallyport/*.toml"),
			).not.toMatch(/^(cache|admin\.sock|master\.key)$/m);
		});

		test("the executable alone installs a server from npm, and a real client calls it over https", async () => {
			expect((await machine.run(["which", "node", "npm", "bun"])).stdout).toBe(
				"",
			);
			await machine.shell(
				"sallyport servers add everything --npm @modelcontextprotocol/server-everything@2026.8.31",
			);
			const client = createSdk2Client(`https://${NAME}/mcp`, {
				mode: { pin: "2026-07-28" },
				reach: await reach(),
			});
			await client.signIn(createBrowser(OWNER, await reach()));
			expect(
				await client.callTool("everything_echo", { message: "from afar" }),
			).toContain("from afar");
			await client.close();
			expect(await machine.shell("ls /var/cache/sallyport")).toBe("npm\n");
		});

		test("plain http only leads to https, and a claimed gateway has no door beside its name", async () => {
			const plain = await fetch(`http://${machine.address}/x`, {
				redirect: "manual",
			});
			expect(plain.headers.get("location")).toBe(`https://${NAME}/x`);
			await machine.shell("systemctl restart sallyport");
			const beside = await fetch(`https://${machine.address}/`, {
				tls: { rejectUnauthorized: false },
			});
			expect(beside.status).toBe(421);
			expect(await machine.shell("ss -Hltn | wc -l")).toBe("2\n");
		});

		test("reinstalled on its data it orders nothing, and prints no link", async () => {
			const [before] = await certificates();
			await install("--uninstall");
			const { code, stdout } = await install(`--domain ${NAME}`);
			expect(code).toBe(0);
			expect(linkOf(stdout)).toBe("");
			expect((await certificates())[0]?.["fingerprint"]).toBe(
				before?.["fingerprint"],
			);
		});

		test("without a domain the link is at the machine's address, with a short-lived certificate that stays", async () => {
			await purge();
			const { code, stdout, stderr } = await install();
			expect(stderr).toBe("");
			expect(code).toBe(0);
			const origin = `https://${machine.address}`;
			expect(linkOf(stdout)).toStartWith(`${origin}/setup#sp_su_`);
			expect((await (await reach())(`${origin}/readyz`)).status).toBe(200);
			const [{ notBefore, notAfter, fingerprint } = {}] = await certificates();
			expect((Number(notAfter) - Number(notBefore)) / 3600).toBeCloseTo(160, 0);
			await machine.shell("systemctl restart sallyport");
			expect((await certificates())[0]?.["fingerprint"]).toBe(fingerprint);
			expect((await claimAt(linkOf(stdout), OWNER, await reach())).status).toBe(
				303,
			);
		});

		test("a domain that leads elsewhere is told with what to do, and the link is at the address", async () => {
			await purge();
			nameLeadsTo("9.9.9.9");
			const { code, stdout, stderr } = await install(`--domain ${NAME}`);
			expect(code).toBe(0);
			expect(stderr).toContain(
				`${NAME} leads to 9.9.9.9, which is not this machine`,
			);
			expect(stderr).toContain(`${NAME}. A ${machine.address}`);
			expect(linkOf(stdout)).toStartWith(
				`https://${machine.address}/setup#sp_su_`,
			);
			nameLeadsTo(machine.address);
			const again = await machine.shell("sallyport setup-link 2>&1");
			expect(again).toContain(`https://${NAME}/setup#sp_su_`);
			expect(again).not.toContain("warning");
		});

		test("where no CA answers, a tunnel and a fingerprint lead in", async () => {
			await purge();
			await pebble.stop();
			const { code, stdout, stderr } = await install(`--domain ${NAME}`);
			expect(code).toBe(0);
			expect(stderr).toContain("browsers will warn of the link");
			expect(stderr).toContain(
				`ssh -L 8080:localhost:8080 root@${machine.address}`,
			);
			expect(stderr).toContain("http://localhost:8080/setup#sp_su_");
			const [, fingerprint] = /^ {2}(([0-9A-F]{2}:){31}[0-9A-F]{2})$/m.exec(
				stderr,
			) ?? [null, "none"];
			expect(fingerprint).toBe(
				String((await certificates())[0]?.["fingerprint"]),
			);
			const token = new URL(linkOf(stdout)).hash;
			expect(stderr).toContain(token);
			expect(
				await machine.shell(
					"curl -sS -o /dev/null -w '%{http_code}' http://localhost:8080/setup",
				),
			).toBe("200");
		});
	},
);
