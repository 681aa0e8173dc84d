/**
 * A Debian machine for a test: systemd as its first process, in namespaces of its own, with nothing installed but what
 * a small VPS has. Its files are a layer in memory over a root that debootstrap makes once. Its network is ours, so
 * that what it serves on loopback can be reached; or, with `network: "own"`, a cable to ours with a public address at
 * its end, and nothing beyond. Needs root; stopped by ending its first process.
 *
 * @see unshare(1), pivot_root(2), overlayfs, veth(4)
 */
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	renameSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Running, run, runToEnd } from "./processes.ts";
import { systemTool, type Tool } from "./tools.ts";
import { until } from "./until.ts";

const SUITE = "trixie";
const PACKAGES =
	"systemd,systemd-sysv,dbus,iproute2,ca-certificates,curl,openssl,busybox";
const ROOTS = join(tmpdir(), "sallyport-roots");
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const BOOT_TIMEOUT_MS = 60_000;

/** Runs inside fresh namespaces: builds the file system and becomes systemd. `$1` is the root, `$2` an empty folder. */
const BOOT = `set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
cd "$2/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount --rbind /dev dev
printf '127.0.0.1 localhost\\n::1 localhost\\n' >etc/hosts
mkdir run/old
pivot_root . run/old
umount -l /run/old
rmdir /run/old
mount --make-rshared /
exec env -i container=systemd-nspawn PATH=${PATH} /lib/systemd/systemd --system --unit=multi-user.target`;

export type Machine = {
	/** Runs a command to its end as root in the machine. */
	readonly run: (
		command: readonly string[],
		options?: { readonly input?: string; readonly path?: string },
	) => Promise<{ code: number; stdout: string; stderr: string }>;
	/** The same for a line of shell; anything but 0 throws what it said. @returns standard output */
	readonly shell: (line: string) => Promise<string>;
	/** The machine's path as this process reaches it. */
	readonly path: (inside: string) => string;
	readonly write: (inside: string, content: string | Uint8Array) => void;
	/** Its address, and ours as it sees us; both loopback while it shares our network. */
	readonly address: string;
	readonly neighbour: string;
	/** Every file of the machine with its size, time, mode and owner, but for logs and what is in memory anyway. */
	readonly fingerprint: () => Promise<string>;
	readonly stop: () => Promise<void>;
};

/** What a test of a machine needs from ours. */
export function machineTools(): readonly Tool[] {
	return [
		systemTool("debootstrap", "debootstrap"),
		systemTool("unshare", "util-linux"),
		systemTool("nsenter", "util-linux"),
		systemTool("ip", "iproute2"),
		{
			name: "the right to make namespaces",
			package: "nothing, but run the tests as root, outside a container",
			path: mayMakeNamespaces() ? "/" : null,
		},
	];
}

function mayMakeNamespaces(): boolean {
	if (process.getuid?.() !== 0 || Bun.which("unshare") === null) return false;
	return (
		Bun.spawnSync(["unshare", "--mount", "--pid", "--fork", "--cgroup", "true"])
			.exitCode === 0
	);
}

/** Boots one. The first on a computer makes the root, which takes about a minute. */
export async function startMachine(
	options: { readonly network: "ours" | "own" } = { network: "ours" },
): Promise<Machine> {
	const hasOwnNetwork = options.network === "own";
	const root = await requireRoot();
	const folder = mkdtempSync(join(tmpdir(), "sallyport-machine-"));
	const boot = run([
		"unshare",
		...["--mount", "--pid", "--fork", "--uts", "--ipc", "--cgroup"],
		...(hasOwnNetwork ? ["--net"] : []),
		...["sh", "-c", BOOT, "boot", root, folder],
	]);
	let ended = false;
	void boot.exited.then(() => {
		ended = true;
	});
	const pid = await firstProcess(boot);
	const cable = hasOwnNetwork
		? await plugIn(pid).catch((error) => {
				process.kill(pid, "SIGKILL");
				throw error;
			})
		: LOOPBACK;
	const enter = [
		"nsenter",
		...["--target", String(pid)],
		...["--mount", "--pid", "--uts", "--ipc", "--cgroup", "--net"],
		...["env", "-i", "HOME=/root", "LANG=C.UTF-8"],
	];

	const machine: Machine = {
		run: (command, { input, path = PATH } = {}) =>
			runToEnd([...enter, `PATH=${path}`, ...command], {
				...(input !== undefined && { input }),
			}),
		async shell(line) {
			const { code, stdout, stderr } = await machine.run(["sh", "-c", line]);
			if (code !== 0) throw new Error(`${line} ended with ${code}: ${stderr}`);
			return stdout;
		},
		...cable,
		path: (inside) => join(`/proc/${pid}/root`, inside),
		write(inside, content) {
			mkdirSync(dirname(machine.path(inside)), { recursive: true });
			writeFileSync(machine.path(inside), content);
		},
		fingerprint: () =>
			machine.shell(
				"find / -xdev \\( -path /var/log -o -path /var/lib/systemd -o -path /root \\) -prune -o -printf '%p %s %T@ %m %u %l\\n' | sort",
			),
		async stop() {
			if (!ended) process.kill(pid, "SIGKILL");
			await boot.exited;
			rmSync(folder, { recursive: true, force: true });
		},
	};
	try {
		await until(
			"the machine has booted",
			async () => {
				if (ended) throw new Error(`the machine died: ${boot.output()}`);
				const { stdout } = await machine.run([
					"systemctl",
					"is-system-running",
				]);
				return /^(running|degraded)$/m.test(stdout);
			},
			BOOT_TIMEOUT_MS,
		);
	} catch (error) {
		await machine.stop();
		throw error;
	}
	return machine;
}

/** The root, made anew when what belongs in it has changed. */
async function requireRoot(): Promise<string> {
	const root = join(ROOTS, `${SUITE}-${Bun.hash(PACKAGES).toString(16)}`);
	if (existsSync(root)) return root;
	mkdirSync(ROOTS, { recursive: true });
	const partial = mkdtempSync(join(ROOTS, ".partial-"));
	const made = await runToEnd([
		"debootstrap",
		"--variant=minbase",
		`--include=${PACKAGES}`,
		SUITE,
		partial,
		await findMirror(),
	]);
	if (made.code !== 0) {
		rmSync(partial, { recursive: true, force: true });
		throw new Error(`debootstrap failed: ${made.stdout}${made.stderr}`);
	}
	renameSync(partial, root);
	return root;
}

/** Where this computer has its own Debian from. */
async function findMirror(): Promise<string> {
	const codename = /^VERSION_CODENAME=(\w+)$/m.exec(
		readFileSync("/etc/os-release", "utf8"),
	)?.[1];
	const { stdout } = await runToEnd([
		"apt-get",
		"indextargets",
		"--format",
		"$(RELEASE) $(REPO_URI)",
		"Created-By: Packages",
	]);
	const line = stdout.split("\n").find((it) => it.startsWith(`${codename} `));
	if (line === undefined) throw new Error(`apt has no sources: ${stdout}`);
	return line.split(" ")[1] as string;
}

type Cable = Pick<Machine, "address" | "neighbour">;
const LOOPBACK: Cable = { address: "127.0.0.1", neighbour: "127.0.0.1" };

/** Lays a cable into the machine's network. It goes with the machine. */
async function plugIn(pid: number): Promise<Cable> {
	// From a block that is routed to nobody here; its own for each machine.
	const network = `44.${128 + (pid % 63)}.${pid % 251}`;
	const name = `sally${pid}`;
	const add = ["ip", "link", "add", name];
	const inside = ["nsenter", "--target", String(pid), "--net", "ip"];
	for (const command of [
		[...add, "type", "veth", "peer", "name", "wan", "netns", String(pid)],
		["ip", "addr", "add", `${network}.1/30`, "dev", name],
		["ip", "link", "set", name, "up"],
		[...inside, "link", "set", "lo", "up"],
		[...inside, "addr", "add", `${network}.2/30`, "dev", "wan"],
		[...inside, "link", "set", "wan", "up"],
		[...inside, "route", "add", "default", "via", `${network}.1`],
	]) {
		const { code, stderr } = await runToEnd(command);
		if (code !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
	}
	return { address: `${network}.2`, neighbour: `${network}.1` };
}

/** `unshare` waits for the machine's first process, which is its only child. */
async function firstProcess(boot: Running): Promise<number> {
	const children = `/proc/${boot.pid}/task/${boot.pid}/children`;
	let pid = 0;
	await until("the machine has a process", () => {
		pid = Number(readFileSync(children, "utf8").trim());
		return pid > 0;
	});
	return pid;
}
