/**
 * A form made from a declaration (`packages/declaration.ts`): one field for each thing that a server asks for. What a
 * stranger wrote is shown as text; a link is shown only if it is https. Field names are the declaration's keys.
 */
import type { VNode } from "preact";
import type { Declaration, DeclaredInput } from "../../packages/declaration.ts";
import { type Wrong, wrongAt } from "./step.tsx";

const RADIOS_MAX = 4;
const TRUE_FALSE = ["true", "false"];

/** The fields of a declaration. @param props.typed what was typed before; secrets are never given back */
export function DeclaredFields(props: {
	readonly declaration: Declaration;
	readonly typed: (key: string) => string | null;
	readonly problems: readonly Wrong[];
}): VNode {
	const { declaration, typed, problems } = props;
	return (
		<>
			{declaration.inputs.map((input) => (
				<DeclaredField
					key={input.key}
					input={input}
					value={input.secret ? "" : (typed(input.key) ?? input.fallback)}
					problem={wrongAt(problems, input.key)}
				/>
			))}
		</>
	);
}

function DeclaredField(props: {
	readonly input: DeclaredInput;
	readonly value: string;
	readonly problem: string | undefined;
}): VNode {
	const { input, value, problem } = props;
	const choices =
		input.format === "boolean" && input.choices.length === 0
			? TRUE_FALSE
			: input.choices;
	const hintId = `${input.key}-hint`;
	const problemId = `${input.key}-problem`;
	const described = problem === undefined ? hintId : `${problemId} ${hintId}`;
	const isLoose = (!input.required || input.personal) && input.fallback === "";
	const label = (
		<>
			{input.label}
			{isLoose ? <span class="quiet"> (may be left empty)</span> : null}
		</>
	);
	const wrong =
		problem === undefined ? null : (
			<p class="problem" id={problemId}>
				{problem}
			</p>
		);
	if (choices.length > 0 && choices.length <= RADIOS_MAX)
		return (
			<fieldset aria-describedby={described} id={input.key}>
				<legend>{label}</legend>
				{wrong}
				{choices.map((choice) => (
					<label class="box" key={choice}>
						<input
							type="radio"
							name={input.key}
							value={choice}
							checked={choice === value}
						/>
						{choice}
					</label>
				))}
				<Hint id={hintId} input={input} />
			</fieldset>
		);
	const shared = {
		id: input.key,
		name: input.key,
		required: !isLoose,
		"aria-describedby": described,
		...(problem === undefined ? {} : { "aria-invalid": true }),
	};
	return (
		<>
			<label for={input.key}>{label}</label>
			{wrong}
			{choices.length > 0 ? (
				<select {...shared}>
					{isLoose ? <option value="">not set</option> : null}
					{choices.map((choice) => (
						<option key={choice} value={choice} selected={choice === value}>
							{choice}
						</option>
					))}
				</select>
			) : input.multiple ? (
				<textarea {...shared} rows={3} placeholder={input.placeholder}>
					{value}
				</textarea>
			) : (
				<Line input={input} value={value} shared={shared} />
			)}
			<Hint id={hintId} input={input} />
		</>
	);
}

function Line(props: {
	readonly input: DeclaredInput;
	readonly value: string;
	readonly shared: Readonly<Record<string, string | boolean>>;
}): VNode {
	const { input, value } = props;
	const shared = {
		...props.shared,
		autocomplete: "off",
		value,
		placeholder: input.placeholder,
		...(input.format === "number" ? { inputMode: "decimal" as const } : {}),
	};
	return input.secret ? (
		<input {...shared} type="password" />
	) : (
		<input {...shared} type="text" />
	);
}

function Hint(props: {
	readonly id: string;
	readonly input: DeclaredInput;
}): VNode {
	const { help, link, secret, personal, target, kind } = props.input;
	return (
		<p class="hint" id={props.id}>
			{help === "" ? null : `${help} `}
			{secret
				? personal
					? "Yours alone: each person gives their own. Kept sealed. "
					: "Shared by everyone who may use the server. Kept sealed. "
				: null}
			{link === null ? null : (
				<a href={link} target="_blank" rel="noopener noreferrer">
					Where to get it
				</a>
			)}
			{target === "" ? null : (
				<>
					{link === null ? null : " · "}
					{kind === "argument"
						? "argument"
						: kind === "env"
							? "variable"
							: kind}{" "}
					<code>{target}</code>
				</>
			)}
		</p>
	);
}
