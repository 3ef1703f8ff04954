// Shadows and jobs outlive their process: after kill -9, whatever was answered is there, and nothing by halves.

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import t from "tap";
import { startCloud } from "../../../hosts/cloud/cloud.js";

t.test("Every update and every job that was answered is there after kill -9", async (t) => {
	const directory = t.testdir();
	const child = fork(fileURLToPath(new URL("kept-child.ts", import.meta.url)), [directory], {
		execArgv: ["--import", "tsx"],
		stdio: ["ignore", "ignore", "inherit", "ipc"],
	});
	let told = 0;
	await new Promise<void>((resolve) =>
		child.on("message", (round: number) => {
			told = round;
			if (round === 40) resolve();
		}),
	);
	child.kill("SIGKILL");
	await once(child, "exit");
	const cloud = await startCloud({ directory });
	t.teardown(() => cloud.close());
	const shadow = JSON.parse(Buffer.from(cloud.shadows.getThingShadow({ thingName: "lamp" })).toString());
	t.ok(shadow.version >= told, "no update is lost");
	t.equal(shadow.state.reported.round, shadow.version, "a version belongs to its state");
	t.equal(cloud.jobs.describeJob({ jobId: `job-${told}` }).job.status, "COMPLETED");
	for (const { jobId, status } of cloud.jobs.listJobs({ maxResults: 250 }).jobs) {
		const { executionSummaries } = cloud.jobs.listJobExecutionsForJob({ jobId });
		const ended = executionSummaries.every(({ jobExecutionSummary }) => jobExecutionSummary.status === "SUCCEEDED");
		t.equal(executionSummaries.length, 1, "a job has its execution");
		t.equal(status === "COMPLETED", ended, "a job completes with its execution");
	}
});
