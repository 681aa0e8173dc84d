/**
 * The page where a person sets their authenticator app up. The picture is drawn here, so that the seed goes to nobody.
 * Form fields: `code`, and hidden `csrf` and `offer`, the sealed seed.
 */
import type { VNode } from "preact";
import encodeQR from "qr";
import type { TotpOffer } from "../../people/totp.ts";
import { Form } from "../form.tsx";
import { Field, page } from "../layout.tsx";
import { NotDone, type Problem, problemOptions } from "../problem.tsx";

export function appPage(fields: {
	readonly csrf: string;
	readonly offer: TotpOffer;
	readonly problem?: Problem;
}): Response {
	const { offer, problem } = fields;
	return page(
		{ title: "Authenticator app", ...problemOptions(problem) },
		<>
			<h1>Set up your authenticator app</h1>
			<p>
				Scan this with the app on your phone. It then shows six digits that
				change every 30 seconds; you are asked for them after your password.
			</p>
			<NotDone problem={problem} />
			<Picture text={offer.uri} />
			<p>
				No camera? Type this key into the app, or{" "}
				<a href={offer.uri}>open it on this device</a>:
			</p>
			<p>
				<code class="copy">{offer.key}</code>
			</p>
			<Form action="/account/app" csrf={fields.csrf}>
				<input type="hidden" name="offer" value={offer.handle} />
				<Field
					name="code"
					label="Code"
					type="text"
					numeric
					autocomplete="one-time-code"
					hint="The six digits the app shows now. Nothing changes before they are right."
				/>
				<p class="actions">
					<button type="submit" class="primary">
						Turn it on
					</button>
				</p>
			</Form>
			<p>
				<a href="/account">Back to your account</a>
			</p>
		</>,
	);
}

/** Dark on light in either colour scheme, because not every camera reads it the other way round. */
function Picture({ text }: { readonly text: string }): VNode {
	const rows = encodeQR(text, "raw", { ecc: "medium", border: 4 });
	const dark = rows.flatMap((row, y) =>
		row.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : [])),
	);
	return (
		<svg
			class="qr"
			viewBox={`0 0 ${rows.length} ${rows.length}`}
			role="img"
			aria-labelledby="qr-title"
			shape-rendering="crispEdges"
		>
			<title id="qr-title">The key as a picture to scan</title>
			<rect width={rows.length} height={rows.length} fill="#fff" />
			<path d={dark.join("")} fill="#000" />
		</svg>
	);
}
