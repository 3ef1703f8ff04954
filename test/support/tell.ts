// Plays a story and reports where its outcome differs from what is expected.

import type { Test } from "tap";
import { applications } from "../scenarios/applications.js";
import type { Story } from "../scenarios/stories.js";
import { World, type WorldOptions } from "./world.js";

/** How long a device that must not succeed is watched, in ms of virtual time. */
const WATCH = 600_000;

/** Plays `story` on this kind of machine. */
export async function tell(test: Test, story: Story, machine: Pick<WorldOptions, "machine"> = {}): Promise<World> {
	const application = story.application && applications[story.application]();
	const world = await World.make({ ...story.given, ...(application && { application }), ...machine });
	story.before?.(world);
	world.machine.powerOn();
	const { end = "running", certificates = 1 } = story;
	const limit = end === "running" ? undefined : WATCH;
	await world.play(() => world.running || world.halted, limit);
	const found = world.running ? "running" : world.halted ? "halted" : "waiting";
	test.equal(found, end, `it ends ${end}`);
	test.same([...new Set(world.failures)], story.failures ?? [], "its failures");
	test.equal(world.cloud.issued, certificates, "certificates issued");
	if (story.boots !== undefined) test.equal(world.machine.boots, story.boots, "power-ons");
	test.same(world.defects, [], "nothing that must never be");
	world.machine.powerOff();
	return world;
}
