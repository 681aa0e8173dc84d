/**
 * Step 3: the name of the gateway and its certificate. Form fields: `name`, `action=check|force|address|skip|continue`,
 * hidden `csrf`. Then the page that shows what becomes of it, and the form that carries the login to the new origin:
 * `arrival`.
 */
import type { ComponentChildren, VNode } from "preact";
import type { FixedBy } from "../../ops/address.ts";
import type { Work } from "../../ops/work.ts";
import type { CertificateView } from "../../tls/certificates.ts";
import { Form } from "../form.tsx";
import { Field, page } from "../layout.tsx";
import { Time } from "../time.tsx";
import { Onward, Step, stepTitle, type Wrong, wrongAt } from "./step.tsx";
import { workPage } from "./work.tsx";

/** How the gateway is reached now. */
export type Whereabouts = {
	readonly origin: string;
	/** `own`: it orders certificates; `files`: it has PEM files; `proxy`: a proxy has them; `none`: loopback, in clear. */
	readonly security: "own" | "files" | "proxy" | "none";
	readonly fixedBy: FixedBy | null;
	/** What is shown under that origin. */
	readonly certificate: CertificateView | null;
	/** Whether the origin is a name, with a certificate that everyone trusts or behind a proxy. */
	readonly isSettled: boolean;
	/** A public address of this machine; null: it has none of its own. */
	readonly publicAddress: string | null;
};

const FIXED_WHERE = {
	flag: "the flag --public-url",
	environment: "the variable SALLYPORT_PUBLIC_URL",
	file: "the configuration file",
} as const;

export function addressPage(fields: {
	readonly csrf: string;
	readonly whereabouts: Whereabouts;
	readonly name: string;
	readonly problems?: readonly Wrong[];
}): Response {
	const { csrf, whereabouts, name, problems = [] } = fields;
	const { security, fixedBy, isSettled } = whereabouts;
	const asks = fixedBy === null && security !== "none";
	return page(
		{
			title: stepTitle("address", "Address"),
			status: problems.length > 0 ? 400 : 200,
		},
		<Step
			step="address"
			title="Where clients reach it"
			back="/setup/kit"
			problems={problems}
		>
			<Now whereabouts={whereabouts} />
			{asks ? (
				<Form action="/setup/address" csrf={csrf}>
					<Field
						name="name"
						label={isSettled ? "Another name" : "Name"}
						type="text"
						autocomplete="off"
						value={name}
						placeholder="gate.example.org"
						optional={isSettled}
						hint={
							security === "own"
								? "A name of a domain of yours that leads to this machine. It gets a certificate of its own, which renews itself."
								: "The name under which clients reach the proxy."
						}
						problem={wrongAt(problems, "name")}
					/>
					{isSettled ? (
						<Onward label="Continue" name="action" value="continue">
							<button type="submit" name="action" value="check">
								Check this name
							</button>
						</Onward>
					) : (
						<Onward
							label={security === "own" ? "Check this name" : "Use this name"}
							name="action"
							value="check"
						/>
					)}
				</Form>
			) : (
				<Form action="/setup/address" csrf={csrf}>
					<Onward
						label={
							security === "none" ? "Continue on this computer" : "Continue"
						}
						name="action"
						value="continue"
					/>
				</Form>
			)}
			<OtherWays whereabouts={whereabouts} csrf={csrf} />
		</Step>,
	);
}

function Now({ whereabouts }: { readonly whereabouts: Whereabouts }): VNode {
	const { origin, security, fixedBy, certificate, isSettled } = whereabouts;
	const fixed =
		fixedBy === null ? null : (
			<p>The address is set by {FIXED_WHERE[fixedBy]}, and is changed there.</p>
		);
	if (security === "none")
		return (
			<>
				<p>
					Clients on this computer reach the gateway at{" "}
					<code class="copy">{origin}/mcp</code>. Nobody else can.
				</p>
				{fixed}
			</>
		);
	if (isSettled)
		return (
			<>
				<p>
					Clients reach the gateway at <code class="copy">{origin}/mcp</code>.
				</p>
				{certificate === null ? null : (
					<p>
						Its certificate is good until <Time at={certificate.notAfter} />
						{certificate.renewAt === null ? (
							"."
						) : (
							<>
								{" "}
								and is renewed by itself from <Time at={certificate.renewAt} />{" "}
								on.
							</>
						)}
					</p>
				)}
				{fixed}
			</>
		);
	return (
		<>
			<p>
				{security === "own"
					? "Clients want a name and a certificate that everyone trusts. Claude and ChatGPT connect from their own data centres, so the name must be known to the whole internet."
					: "A proxy of yours holds the certificate. Clients need its name."}
			</p>
			{certificate?.failure ? (
				<div class="notice">
					<p>
						<strong>Not issued.</strong> {certificate.failure.detail}
					</p>
					<p>{certificate.failure.remedy}</p>
				</div>
			) : null}
			{fixed}
		</>
	);
}

function OtherWays(props: {
	readonly whereabouts: Whereabouts;
	readonly csrf: string;
}): VNode {
	const { security, fixedBy, publicAddress, isSettled } = props.whereabouts;
	const may = fixedBy === null && !isSettled && security !== "none";
	return (
		<details>
			<summary>Other ways</summary>
			{security === "none" ? (
				<Way title="For clients elsewhere, with a certificate of its own">
					<p>
						Start it so that it listens to the world, and come back here. Ports
						443 and 80 must reach this machine.
					</p>
					<p>
						<code class="copy">
							sallyport serve --listen [::]:443 --tls acme
						</code>
					</p>
				</Way>
			) : null}
			<Way title="Behind a proxy of your own">
				<p>
					Let the proxy hold the certificate and pass requests on to port 8080.
					Put this into <code>/etc/sallyport/sallyport.toml</code>, with your
					own name, and restart.
				</p>
				<pre>
					{`listen = ["localhost:8080"]
public_url = "https://gate.example.org"
trusted_proxy = ["127.0.0.1"]`}
				</pre>
			</Way>
			<Way title="With PEM files that something else renews">
				<p>
					The gateway notices when they change. Put this into{" "}
					<code>/etc/sallyport/sallyport.toml</code>, with your own paths, and
					restart.
				</p>
				<pre>
					{`tls = "files"
tls_cert = "/etc/ssl/gate/fullchain.pem"
tls_key = "/etc/ssl/gate/key.pem"
public_url = "https://gate.example.org"`}
				</pre>
			</Way>
			{may ? (
				<Form action="/setup/address" csrf={props.csrf}>
					{security === "own" && publicAddress !== null ? (
						<Way title="By its address alone">
							<p>
								{publicAddress} gets a certificate for six days at a time, which
								renews itself. Clients on your own devices accept it; whether
								Claude and ChatGPT do is up to them.
							</p>
							<p>
								<button type="submit" name="action" value="address">
									Use {publicAddress}
								</button>
							</p>
						</Way>
					) : null}
					<Way title="Later">
						<p>
							You can go on without. Clients that insist on a trusted
							certificate will not connect until you come back.
						</p>
						<p>
							<button type="submit" name="action" value="skip">
								Not now
							</button>
						</p>
					</Way>
				</Form>
			) : null}
		</details>
	);
}

function Way(props: {
	readonly title: string;
	readonly children: ComponentChildren;
}): VNode {
	return (
		<section>
			<h2>{props.title}</h2>
			{props.children}
		</section>
	);
}

/** The checks and the order, while they run. */
export function addressWorkPage(fields: {
	readonly work: Work;
	readonly csrf: string;
	readonly name: string;
	/** Where the gateway is once it has moved. */
	readonly target: string;
	/** Whether this browser is there already. */
	readonly isHere: boolean;
	readonly issueArrival: () => string;
}): Response {
	const { work, csrf, name, target, isHere, issueArrival } = fields;
	return workPage({
		work,
		step: "address",
		title: name,
		back: "/setup/address",
		formAction: isHere ? [] : [target],
		outcome: (succeeded) =>
			succeeded ? (
				<Arrive target={target} arrival={isHere ? null : issueArrival()} />
			) : (
				<Form action="/setup/address" csrf={csrf}>
					<input type="hidden" name="name" value={name} />
					<p>Nothing was changed.</p>
					<Onward label="Check again" name="action" value="check">
						<button type="submit" name="action" value="force">
							Order it anyway
						</button>
					</Onward>
				</Form>
			),
	});
}

function Arrive(props: {
	readonly target: string;
	/** What carries the login over; null: it is there already. */
	readonly arrival: string | null;
}): VNode {
	const { target, arrival } = props;
	if (arrival === null)
		return (
			<p class="actions">
				<a class="button primary" href="/setup">
					Continue
				</a>
			</p>
		);
	return (
		<>
			<form method="post" action={`${target}/setup/arrive`}>
				<input type="hidden" name="arrival" value={arrival} />
				<Onward label={`Continue at ${new URL(target).host}`} />
			</form>
			<p class="hint">
				You stay signed in. If it does not open, wait a minute until your
				computer knows the name, and open {target}/login.
			</p>
		</>
	);
}
