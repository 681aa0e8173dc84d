/**
 * Request bodies: read once, bounded, proven JSON, judged by a schema. A refusal names the field and never repeats
 * a value, because a value may be a secret that was put in the wrong place.
 *
 * Schemas write their own messages as "must …"; any other message of zod's is replaced.
 */
import * as z from "zod";
import { SallyportError } from "../errors.ts";
import { skipSpace } from "../json.ts";
import { MalformedMessage } from "../malformed.ts";
import { type Bytes, membersOf, parseJson } from "../message.ts";
import { HttpRefusal } from "./envelope.ts";

const BODY_BYTES_MAX = 1024 * 1024;
const UNCHANGED = "correct it and try again; nothing was changed";
const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,39}$/;
const JSON_TYPE = /^application\/json\s*(?:;\s*charset="?utf-8"?\s*)?$/i;

/** A JSON body as its bytes and as what the schema makes of it. */
type Body<T> = { readonly bytes: Bytes; readonly value: T };

/**
 * Reads the body of a request.
 * @throws SallyportError `invalid` (not JSON, not the shape), `too_large`
 * @throws HttpRefusal 415 when it is not said to be JSON
 */
export async function readBody<S extends z.ZodType>(
	request: Request,
	schema: S,
): Promise<Body<z.infer<S>>> {
	if (!JSON_TYPE.test(request.headers.get("content-type") ?? ""))
		throw new HttpRefusal(
			415,
			"the body must be JSON",
			"send it with Content-Type: application/json",
		);
	const bytes = await readBytes(request);
	return { bytes, value: judgeBody(provenObject(bytes), schema) };
}

/** What the schema makes of a body. @throws SallyportError `invalid`, which names the field */
export function judgeBody<S extends z.ZodType>(
	value: unknown,
	schema: S,
): z.infer<S> {
	const result = schema.safeParse(value);
	if (result.success) return result.data;
	throw explainIssue(result.error.issues[0] as z.core.$ZodIssue, value, schema);
}

/** All of the body, unless it is too much: then the rest is never read. */
async function readBytes(request: Request): Promise<Bytes> {
	if (Number(request.headers.get("content-length") ?? 0) > BODY_BYTES_MAX)
		throw tooLarge();
	const parts: Bytes[] = [];
	let length = 0;
	for await (const part of request.body ?? []) {
		length += part.length;
		if (length > BODY_BYTES_MAX) throw tooLarge();
		parts.push(part);
	}
	return Buffer.concat(parts);
}

/** Proves the bytes to be one JSON object without duplicate fields, so that what is judged is what is used. */
function provenObject(bytes: Bytes): unknown {
	try {
		membersOf(bytes, skipSpace(bytes, 0));
		return parseJson(bytes);
	} catch (error) {
		if (!(error instanceof MalformedMessage)) throw error;
		throw new SallyportError(
			"invalid",
			error.message.replace("the message", "the body"),
			{
				hint: "the body is one JSON object, in UTF-8",
			},
		);
	}
}

function explainIssue(
	issue: z.core.$ZodIssue,
	value: unknown,
	schema: z.ZodType,
): SallyportError {
	// A key that a schema refuses is not a name that it gave: it may be a value in the wrong place.
	if (issue.code === "invalid_key")
		return explainIssue(
			{ ...issue.issues[0], path: issue.path.slice(0, -1) } as z.core.$ZodIssue,
			value,
			schema,
		);
	const field = nameOf(issue.path);
	if (issue.code === "unrecognized_keys") {
		const key = printable(String(issue.keys[0]));
		return new SallyportError(
			"invalid",
			`the field ${field === "" ? key : `${field}.${key}`} is not known`,
			{
				hint: knownFields(schema),
			},
		);
	}
	const subject = field === "" ? "the body" : field;
	if (issue.message.startsWith("must "))
		return new SallyportError("invalid", `${subject} ${issue.message}`, {
			hint: UNCHANGED,
		});
	if (issue.code === "invalid_type" && at(value, issue.path) === undefined)
		return new SallyportError("invalid", `the field ${subject} is missing`, {
			hint: knownFields(schema),
		});
	if (issue.code === "invalid_type")
		return new SallyportError(
			"invalid",
			`${subject} must be ${article(issue.expected)}`,
			{ hint: UNCHANGED },
		);
	if (issue.code === "invalid_value")
		return new SallyportError(
			"invalid",
			`${subject} must be one of ${issue.values.map(String).join(", ")}`,
			{ hint: UNCHANGED },
		);
	if (issue.code === "too_big" || issue.code === "too_small")
		return new SallyportError(
			"invalid",
			`${subject} is too ${issue.code === "too_big" ? "long" : "short"}`,
			{ hint: UNCHANGED },
		);
	return new SallyportError("invalid", `${subject} is not valid`, {
		hint: UNCHANGED,
	});
}

function knownFields(schema: z.ZodType): string {
	return schema instanceof z.ZodObject
		? `the fields are ${Object.keys(schema.shape).join(", ")}`
		: "see the documentation of this route";
}

function nameOf(path: readonly PropertyKey[]): string {
	return path
		.map((part, index) =>
			typeof part === "number"
				? `[${part}]`
				: `${index > 0 ? "." : ""}${printable(String(part))}`,
		)
		.join("");
}

/** A caller chose this name: it is shown only as far as it looks like one. */
function printable(name: string): string {
	return NAME.test(name) ? name : "(another)";
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
	let here = value;
	for (const part of path)
		here = (here as Record<PropertyKey, unknown> | undefined)?.[part];
	return here;
}

function article(expected: string): string {
	if (expected === "array") return "a list";
	return /^[aeiou]/.test(expected) ? `an ${expected}` : `a ${expected}`;
}

function tooLarge(): SallyportError {
	return new SallyportError("too_large", "the body is larger than 1 MiB", {
		hint: "send less at a time; nothing was changed",
	});
}
