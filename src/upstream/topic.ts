/** What a server can be asked to tell of: a resource by its URI, or a modern task by its id. A string, so that it is a key. */
export type Topic = `resource ${string}` | `task ${string}`;

type Kind = "resource" | "task";

/** The URI or id of a topic, if it is one of that kind. */
export function topicOf(kind: Kind, topic: Topic): string | null {
	return topic.startsWith(`${kind} `) ? topic.slice(kind.length + 1) : null;
}

/** The URIs or ids of the topics of that kind. */
export function topicsOf(
	kind: Kind,
	topics: Iterable<Topic>,
): readonly string[] {
	return [...topics].flatMap((topic) => topicOf(kind, topic) ?? []);
}
