/**
 * What every page shares: the frame, the stylesheet, and the headers that keep it ours.
 * Nothing runs, nothing frames it, nothing is stored, no address of ours is told to anyone it links to.
 *
 * @see Content Security Policy Level 3
 */
import type { ComponentChildren, VNode } from "preact";
import { renderToString } from "preact-render-to-string";
import { ASSETS } from "./assets.tsx";
import { Mark } from "./mark.tsx";

type PageOptions = {
	readonly title: string;
	readonly status?: number;
	/** For a page of the dashboard. */
	readonly nav?: Nav;
	/** Path of the one script the page may run. */
	readonly script?: string;
	/** Where a form's answer may lead beside this origin, as CSP sources. */
	readonly formAction?: readonly string[];
	readonly headers?: Readonly<Record<string, string>>;
	/** The token with which the page may call the API. */
	readonly apiToken?: string;
	/** Where the browser goes by itself when it has shown the page. */
	readonly onward?: string;
	/** Each `Set-Cookie`. */
	readonly cookie?: Cookies;
};

type Cookies = string | readonly string[] | null;

/** The parts of the dashboard that there are. Each page judges for itself who may see it. */
const PARTS = [
	{ path: "/", name: "Overview", forAll: true },
	{ path: "/tools", name: "Tools", forAll: true },
	{ path: "/clients", name: "Clients", forAll: true },
	{ path: "/users", name: "Users", forAll: false },
	{ path: "/account", name: "Account", forAll: true },
] as const;

/** Which part a page belongs to, and whether whoever looks at it runs the gateway. */
type Nav = {
	readonly current: (typeof PARTS)[number]["path"];
	readonly administers: boolean;
};

/** A page as the response to a request. */
export function page(
	options: PageOptions,
	content: ComponentChildren,
): Response {
	return new Response(renderPage(options, content), {
		status: options.status ?? 200,
		headers: headersOf(options),
	});
}

/**
 * A page that is still being written while it is read: `content` holds a `<Growing />`, in whose place the parts come
 * one after the other. Browsers show what has arrived, so it needs no script, and opened again it begins anew.
 */
export function growingPage(
	options: PageOptions,
	content: ComponentChildren,
	parts: AsyncIterable<VNode>,
): Response {
	const [head = "", tail = ""] = renderPage(options, content).split(
		renderToString(<Growing />),
	);
	const encoder = new TextEncoder();
	async function* text(): AsyncGenerator<Uint8Array, void, void> {
		yield encoder.encode(head);
		for await (const part of parts) yield encoder.encode(renderToString(part));
		yield encoder.encode(tail);
	}
	const chunks = text();
	const stream = new ReadableStream<Uint8Array>({
		pull: async (controller) => {
			const { done, value } = await chunks.next();
			if (done) controller.close();
			else controller.enqueue(value);
		},
		cancel: async () => {
			await chunks.return();
		},
	});
	return new Response(stream, {
		status: options.status ?? 200,
		headers: headersOf(options),
	});
}

/** Where the parts of a growing page go. */
export function Growing(): VNode {
	return <template data-growing />;
}

function renderPage(
	{ title, nav, script, apiToken, onward }: PageOptions,
	content: ComponentChildren,
): string {
	const frame = (
		<Frame
			title={title}
			nav={nav}
			script={script}
			apiToken={apiToken}
			onward={onward}
		>
			{content}
		</Frame>
	);
	return `<!doctype html>${renderToString(frame)}`;
}

function headersOf(options: PageOptions): Headers {
	const headers = new Headers({
		...PAGE_HEADERS,
		"Content-Type": "text/html; charset=utf-8",
		"Content-Security-Policy": policy(options),
		...options.headers,
	});
	setCookies(headers, options.cookie ?? null);
	return headers;
}

/** Sends the browser elsewhere with a GET: a path of ours, or a redirect URI that was found good. */
export function seeOther(location: string, cookie: Cookies = null): Response {
	const headers = new Headers({ ...PAGE_HEADERS, Location: location });
	setCookies(headers, cookie);
	return new Response(null, { status: 303, headers });
}

function setCookies(headers: Headers, cookies: Cookies): void {
	for (const cookie of typeof cookies === "string"
		? [cookies]
		: (cookies ?? []))
		headers.append("Set-Cookie", cookie);
}

const PAGE_HEADERS = {
	"Cache-Control": "no-store",
	"Referrer-Policy": "no-referrer",
	"X-Content-Type-Options": "nosniff",
	"X-Frame-Options": "DENY",
} as const;

function policy({ script, formAction = [] }: PageOptions): string {
	return [
		"default-src 'none'",
		"style-src 'self'",
		"img-src 'self'",
		...(script === undefined
			? []
			: ["script-src 'self'", "connect-src 'self'"]),
		["form-action 'self'", ...formAction].join(" "),
		"frame-ancestors 'none'",
		"base-uri 'none'",
	].join("; ");
}

function Frame(props: {
	readonly title: string;
	readonly nav: Nav | undefined;
	readonly script: string | undefined;
	readonly apiToken: string | undefined;
	readonly onward: string | undefined;
	readonly children: ComponentChildren;
}): VNode {
	const { stylesheet, icon } = ASSETS;
	return (
		<html lang="en">
			<head>
				<meta charset="utf-8" />
				<meta name="viewport" content="width=device-width, initial-scale=1" />
				<meta name="robots" content="noindex" />
				{props.onward === undefined ? null : (
					<meta http-equiv="refresh" content={`0;url=${props.onward}`} />
				)}
				{props.apiToken === undefined ? null : (
					<meta name="csrf-token" content={props.apiToken} />
				)}
				<title>{`${props.title} · sallyport`}</title>
				<link rel="stylesheet" href={stylesheet.path} />
				<link rel="icon" type="image/svg+xml" href={icon.path} />
				{props.script === undefined ? null : (
					<script src={props.script} defer></script>
				)}
			</head>
			<body class={props.nav === undefined ? undefined : "wide"}>
				<header class="mark">
					<Mark /> sallyport
				</header>
				{props.nav === undefined ? null : <Rail {...props.nav} />}
				<main>{props.children}</main>
			</body>
		</html>
	);
}

function Rail({ current, administers }: Nav): VNode {
	return (
		<nav aria-label="Dashboard">
			{PARTS.filter(({ forAll }) => forAll || administers).map(
				({ path, name }) => (
					<a
						key={path}
						href={path}
						aria-current={path === current ? "page" : undefined}
					>
						{name}
					</a>
				),
			)}
		</nav>
	);
}

/** A line that asks for attention: a word, a shape and a colour, never the colour alone. */
export function Notice(props: {
	readonly word: string;
	readonly danger?: boolean;
	readonly children: ComponentChildren;
}): VNode {
	return (
		<p class={props.danger ? "notice danger" : "notice"} role="status">
			<strong>{props.word}.</strong> {props.children}
		</p>
	);
}

/** A labelled field. */
export function Field(props: {
	readonly name: string;
	readonly label: string;
	readonly type: "text" | "email" | "password" | "url";
	readonly autocomplete: string;
	readonly value?: string;
	readonly hint?: string;
	readonly minLength?: number;
	readonly optional?: boolean;
	/** Digits are typed. */
	readonly numeric?: boolean;
	/** What is wrong with what was typed. */
	readonly problem?: string | undefined;
	readonly placeholder?: string;
}): VNode {
	const hintId = `${props.name}-hint`;
	const problemId = `${props.name}-problem`;
	const described = [
		...(props.problem === undefined ? [] : [problemId]),
		...(props.hint === undefined ? [] : [hintId]),
	].join(" ");
	const shared = {
		id: props.name,
		name: props.name,
		autocomplete: props.autocomplete,
		required: !props.optional,
		...(props.numeric ? { inputMode: "numeric" as const } : {}),
		...(props.value === undefined ? {} : { value: props.value }),
		...(props.minLength === undefined ? {} : { minLength: props.minLength }),
		...(props.placeholder === undefined
			? {}
			: { placeholder: props.placeholder }),
		...(described === "" ? {} : { "aria-describedby": described }),
		...(props.problem === undefined ? {} : { "aria-invalid": true }),
	};
	return (
		<>
			<label for={props.name}>{props.label}</label>
			{props.problem === undefined ? null : (
				<p class="problem" id={problemId}>
					{props.problem}
				</p>
			)}
			{props.type === "password" ? (
				<input {...shared} type="password" />
			) : props.type === "email" ? (
				<input {...shared} type="email" />
			) : props.type === "url" ? (
				<input {...shared} type="url" />
			) : (
				<input {...shared} type="text" />
			)}
			{props.hint === undefined ? null : (
				<p class="hint" id={hintId}>
					{props.hint}
				</p>
			)}
		</>
	);
}
