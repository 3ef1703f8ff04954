// A PATH whose `aws` heeds AWS_ENDPOINT_URL. AWS's command line does since 2.13 and 1.29; Debian 12 has 2.9, and there the variable
// would be passed over and AWS itself be asked.

import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Makes such an `aws` in `folder`, for which the command line must be installed. Returns the PATH. */
export function awsPath(folder: string): string {
	const installed = execFileSync("sh", ["-c", "command -v aws"], { encoding: "utf8" }).trim();
	const bin = join(folder, "bin");
	mkdirSync(bin, { recursive: true });
	writeFileSync(join(bin, "aws"), `#!/bin/sh\nexec "${installed}" --endpoint-url "$AWS_ENDPOINT_URL" "$@"\n`, {
		mode: 0o755,
	});
	return [bin, process.env.PATH].join(delimiter);
}
