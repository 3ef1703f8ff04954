// Cuts text at a separator.

/** What stands before the first separator, and what stands after it; all and nothing when there is none. */
export function splitOnce(text: string, separator: string): [before: string, after: string] {
	const at = text.indexOf(separator);
	return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + separator.length)];
}
