/** `sallyport certificate …`: what clients are shown, until when, and why it was not renewed. */
import type { CertificateView } from "../tls/certificates.ts";
import type { Reply } from "./client.ts";
import type { Command, Context } from "./command.ts";
import { printFacts, printJson, printNote, showTime } from "./output.ts";

/** Commands about the gateway's own certificate. */
export const certificateCommands: readonly Command[] = [
	{
		noun: "certificate",
		verb: "show",
		summary: "who issued it, until when, and the last error",
		words: [],
		flags: [],
		examples: ["sallyport certificate show"],
		run: async (context) =>
			print(context, await context.client.get("/api/certificate")),
	},
	{
		noun: "certificate",
		verb: "renew",
		summary: "order a new one now, or read the files again",
		words: [],
		flags: [],
		examples: ["sallyport certificate renew"],
		run: renew,
	},
];

async function renew(context: Context): Promise<void> {
	if (!context.json)
		printNote(context.io, "asking the CA; this may take minutes");
	print(context, await context.client.post("/api/certificate/renew", {}));
}

function print({ io, json }: Context, reply: Reply): void {
	if (json) {
		printJson(io, reply);
		return;
	}
	const certificates = reply["certificates"] as readonly CertificateView[];
	if (certificates.length === 0)
		printNote(io, "tls is off: this gateway shows no certificate of its own");
	for (const certificate of certificates)
		printFacts(io, [...factsOf(certificate), ...failureOf(certificate)]);
}

type Fact = readonly [string, string];

function factsOf(certificate: CertificateView): readonly Fact[] {
	const { names, trusted, issuer, renewAt, explanationUrl } = certificate;
	return [
		["names", names.join(", ")],
		[
			"issuer",
			trusted ? issuer : "itself: browsers warn; compare the fingerprint",
		],
		["SHA-256", certificate.fingerprint],
		["from", showTime(certificate.notBefore)],
		["until", showTime(certificate.notAfter)],
		["renewal", showRenewal(renewAt)],
		...(explanationUrl === null ? [] : [["why", explanationUrl] as const]),
	];
}

function showRenewal(renewAt: number | null): string {
	if (renewAt === null) return "where its files come from";
	return renewAt === 0 ? "as soon as possible" : showTime(renewAt);
}

function failureOf({ failure }: CertificateView): readonly Fact[] {
	if (failure === null) return [];
	const { at, directory, detail, remedy } = failure;
	return [
		...(at === null ? [] : [["failed", showTime(at)] as const]),
		...(directory === null ? [] : [["at", directory] as const]),
		["last error", detail],
		["what to do", remedy],
	];
}
