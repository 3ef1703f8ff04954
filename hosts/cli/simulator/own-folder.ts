// A folder in build/ that no other running process builds in. The first process gets the folder of that name, so that its
// builds are quick; one that runs at the same time gets another folder, and does not destroy the first one's.

import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { join } from "node:path";

/**
 * Returns the folder `name` in `parent`, or `name-2` and so on while other processes use those before it. It belongs to this
 * process until the process ends, however that happens. Linux only.
 */
export async function ownFolder(parent: string, name: string): Promise<string> {
	for (let number = 1; ; number += 1) {
		const folder = join(parent, number === 1 ? name : `${name}-${number}`);
		if (await take(folder)) return folder;
	}
}

/**
 * Listens on an abstract socket with the folder's name (unix(7)): the kernel gives such a name to one process at a time, and
 * frees it when the process ends. A lock file would remain after a kill -9.
 */
function take(folder: string): Promise<boolean> {
	const name = createHash("sha256").update(folder).digest("hex");
	return new Promise((resolve, reject) => {
		const server = createServer((socket) => socket.destroy());
		server.once("error", (error: NodeJS.ErrnoException) => {
			if (error.code === "EADDRINUSE") resolve(false);
			else reject(error);
		});
		server.listen(`\0fleet-build-${name}`, () => resolve(true));
		// It alone does not keep the process alive.
		server.unref();
	});
}
