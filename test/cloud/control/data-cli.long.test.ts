// AWS's command line for the data planes of shadows and jobs, beside that for the control plane, on one endpoint.

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import t from "tap";
import { administrator, started } from "./started.js";

const run = promisify(execFile);
const installed = await run("aws", ["--version"]).then(
	() => true,
	() => false,
);
const skip = installed ? false : "the AWS command line is not installed (Debian: apt-get install awscli)";

t.test("aws iot-data, iot-jobs-data and iot on one endpoint", { skip }, async (t) => {
	const cloud = await started(t);
	const directory = t.testdir();
	const aws = async (...args: string[]) => {
		const { stdout } = await run("aws", ["--endpoint-url", cloud.url, "--output", "json", ...args], {
			cwd: directory,
			env: {
				PATH: process.env.PATH,
				HOME: directory,
				AWS_REGION: "eu-west-1",
				AWS_DEFAULT_REGION: "eu-west-1",
				AWS_ACCESS_KEY_ID: administrator.accessKeyId,
				AWS_SECRET_ACCESS_KEY: administrator.secretAccessKey,
			},
		});
		return stdout === "" ? {} : JSON.parse(stdout);
	};
	cloud.registry.things.createThing({ thingName: "lamp" });
	const update = ["--thing-name", "lamp", "--payload", Buffer.from('{"state":{"desired":{"a":1}}}').toString("base64")];
	const [version] = (await run("aws", ["--version"])).stdout.split(" ");
	// Version 2 takes blobs as base64, version 1 as they are.
	const payload = version!.startsWith("aws-cli/2") ? update : [...update.slice(0, 3), '{"state":{"desired":{"a":1}}}'];
	await aws("iot-data", "update-thing-shadow", ...payload, "out");
	t.match(JSON.parse(readFileSync(join(directory, "out"), "utf8")), { version: 1 });
	const target = cloud.registry.arn("thing", "lamp");
	t.match(await aws("iot", "create-job", "--job-id", "one", "--targets", target, "--document", '{"a":1}'), {
		jobId: "one",
	});
	t.match(await aws("iot-jobs-data", "start-next-pending-job-execution", "--thing-name", "lamp"), {
		execution: { jobId: "one", status: "IN_PROGRESS", jobDocument: '{"a":1}' },
	});
	await aws(
		"iot-jobs-data",
		"update-job-execution",
		"--thing-name",
		"lamp",
		"--job-id",
		"one",
		"--status",
		"SUCCEEDED",
	);
	t.match(await aws("iot", "describe-job", "--job-id", "one"), { job: { status: "COMPLETED" } });
});
