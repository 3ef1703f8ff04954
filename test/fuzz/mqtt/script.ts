// What several clients do, in order, as lines of text: so that it can be kept, read, cut down and played again.

/** One line. Connections have numbers, identities have names. */
export type Step =
	/** `open 1 claim`: a new connection that shows this identity's certificate. */
	| { readonly what: "open"; readonly connection: number; readonly identity: string }
	/** `data 1 10 0a0b`: these bytes, ten times. */
	| { readonly what: "data"; readonly connection: number; readonly times: number; readonly bytes: Buffer }
	/** `end 1`, `reset 1`; `hold 1`: it takes nothing any more, until `free 1`. */
	| { readonly what: "end" | "reset" | "hold" | "free"; readonly connection: number }
	/** `turn`: what has been sent is worked off before the next step. */
	| { readonly what: "turn" }
	/** `status claim INACTIVE`: the certificate's status is changed. */
	| { readonly what: "status"; readonly identity: string; readonly status: "ACTIVE" | "INACTIVE" }
	/** `set {"reply":{"qos":0}}`: settings are changed. */
	| { readonly what: "set"; readonly patch: string };

/** Reads a script; lines that are none are left out. */
export function parseScript(text: string): Step[] {
	return text.split("\n").flatMap((line): Step[] => {
		const [what = "", ...rest] = line.split(" ");
		const connection = Number(rest[0]);
		switch (what) {
			case "open":
				return [{ what, connection, identity: rest[1] ?? "" }];
			case "data":
				return [{ what, connection, times: Number(rest[1]), bytes: Buffer.from(rest[2] ?? "", "hex") }];
			case "end":
			case "reset":
			case "hold":
			case "free":
				return [{ what, connection }];
			case "turn":
				return [{ what }];
			case "status":
				return [{ what, identity: rest[0] ?? "", status: rest[1] === "INACTIVE" ? "INACTIVE" : "ACTIVE" }];
			case "set":
				return [{ what, patch: rest.join(" ") }];
			default:
				return [];
		}
	});
}

/** Smaller forms of a line: fewer times, fewer bytes. */
export function* smallerLines(line: string): Generator<string> {
	const [what, connection, times, hex = ""] = line.split(" ");
	if (what !== "data") return;
	const data = (count: number, bytes: Buffer) => `data ${connection} ${count} ${bytes.toString("hex")}`;
	const count = Number(times);
	const bytes = Buffer.from(hex, "hex");
	for (const fewer of [1, Math.floor(count / 2), count - 1]) if (fewer > 0 && fewer < count) yield data(fewer, bytes);
	for (let length = bytes.length >> 1; length >= 1; length >>= 1) {
		for (let at = 0; at + length <= bytes.length; at += length)
			yield data(count, Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]));
	}
}
