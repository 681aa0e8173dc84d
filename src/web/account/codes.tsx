/** The page that shows recovery codes, once. To keep: on paper, or as a file, which the page holds itself. */
import { page } from "../layout.tsx";

export function codesPage(fields: {
	readonly codes: readonly string[];
	readonly cookie: string | null;
}): Response {
	const { codes } = fields;
	const file = `sallyport recovery codes, each good once\n\n${codes.join("\n")}\n`;
	return page(
		{ title: "Recovery codes", cookie: fields.cookie },
		<>
			<h1>Keep these recovery codes</h1>
			<p>
				Each signs you in once in place of your second factor, for the day your
				phone is gone. They are shown only now; earlier ones no longer work.
			</p>
			<ol class="codes">
				{codes.map((code) => (
					<li key={code}>
						<code>{code}</code>
					</li>
				))}
			</ol>
			<p>
				Print this page, or{" "}
				<a
					href={`data:text/plain;charset=utf-8,${encodeURIComponent(file)}`}
					download="sallyport-recovery-codes.txt"
				>
					save them as a file
				</a>{" "}
				where your password is not.
			</p>
			<p class="actions">
				<a class="button primary" href="/account">
					I have kept them
				</a>
			</p>
		</>,
	);
}
