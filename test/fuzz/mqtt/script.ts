// A script says as lines of text what several clients do, in order. As text, it can be kept, read, minimized and played again.

/** One line of a script. Connections have numbers, identities have names. */
export type Step =
	/** `open 1 claim`: a new connection that uses this identity's certificate. */
	| { readonly what: "open"; readonly connection: number; readonly identity: string }
	/** `data 1 10 0a0b`: sends these bytes ten times. */
	| { readonly what: "data"; readonly connection: number; readonly times: number; readonly bytes: Buffer }
	/** `end 1`, `reset 1`; `hold 1`: the client stops reading until `free 1`. */
	| { readonly what: "end" | "reset" | "hold" | "free"; readonly connection: number }
	/** `turn`: waits until the broker has handled everything sent so far. */
	| { readonly what: "turn" }
	/** `status claim INACTIVE`: the certificate's status is changed. */
	| { readonly what: "status"; readonly identity: string; readonly status: "ACTIVE" | "INACTIVE" }
	/** `set {"reply":{"qos":0}}`: settings are changed. */
	| { readonly what: "set"; readonly patch: string };

/** Reads a script and ignores invalid lines. */
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

/** Smaller versions of a line: fewer repetitions, fewer bytes. */
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
