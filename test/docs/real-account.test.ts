// docs/real-account.md is true of the local cloud: its commands run as they stand, with the files that `fleet samples` writes, and
// a device provisions itself with what they have made.

import { execFile, execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import t from "tap";
import { startCloud, temporaryFolder } from "../cli/fleet.js";
import { awsPath } from "../support/aws-path.js";

t.setTimeout(300_000);
const execute = promisify(execFile);
const page = readFileSync(new URL("../../docs/real-account.md", import.meta.url), "utf8");
const script = fileURLToPath(new URL("../../hosts/cli/fleet.js", import.meta.url));
const { NODE_OPTIONS: _, ...inherited } = process.env;

function hasAws(): boolean {
	try {
		execFileSync("aws", ["--version"], { stdio: "ignore" });
	} catch {
		return false;
	}
	return true;
}

/** The shell commands of the page, from its first to its last. */
const blocks = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, text]) => text!);

t.test(
	"from the samples to a provisioned device",
	{ skip: !hasAws() && "the AWS command line is not installed" },
	async (t) => {
		const folder = temporaryFolder(t);
		const local = blocks.find((block) => block.includes("fleet cloud"))!;
		const [, ...asked] = /fleet cloud (--account) (\d{12}) (--region) (\S+)/.exec(local)!;
		const cloud = await startCloud(t, join(folder, "cloud"), ...asked);
		const environment = {
			...inherited,
			PATH: awsPath(folder),
			AWS_ENDPOINT_URL: cloud.facts.url!,
			AWS_ACCESS_KEY_ID: "any",
			AWS_SECRET_ACCESS_KEY: "any",
			AWS_PAGER: "",
			AWS_EC2_METADATA_DISABLED: "true",
			NO_COLOR: "1",
		};
		const whole = blocks
			.filter((block) => block !== local)
			.join("\n")
			.replaceAll("npx fleet", `'${process.execPath}' '${script}'`)
			// What the page says to give instead, where AWS has neither a public name nor a root here.
			.replace(/--endpoint \S+/, `--endpoint localhost --port ${cloud.facts.port}`)
			.replace("AmazonRootCA1.pem", cloud.facts.rootCertificate!);
		t.equal(whole.match(/\baws (?:iam|iot) /g)?.length, 8, "every call of the page is in it");
		const { stdout } = await execute("bash", ["-e", "-o", "pipefail", "-c", `${whole}\naws sts get-caller-identity`], {
			cwd: folder,
			env: environment,
		});
		t.match(stdout, cloud.facts.endpoint!, "DescribeEndpoint answers for this region");
		t.match(stdout, /-ats\.iot\.eu-west-1\.amazonaws\.com/);
		t.match(stdout, "Devices can provision");
		t.match(stdout, /is thing \S+ with certificate/);
		t.match(stdout, /"Account": "123456789012"/);
	},
);
