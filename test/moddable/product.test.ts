// Given the partition table and the settings of a product, then they are what ESP-IDF, the SDK and the firmware require.

import { existsSync, readFileSync } from "node:fs";
import t from "tap";

const folder = new URL("../../hosts/moddable/esp32/product/", import.meta.url);
const read = (name: string) => readFileSync(new URL(name, folder), "utf8");
const linesOf = (text: string) => text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));

/** The flash size of most of the SDK's boards; only the smallest board has less. */
const FLASH = 4 << 20;
/** ESP-IDF's default: the partition table is at 0x8000 and takes 4 KB. */
const AFTER_TABLE = 0x9000;
/** Required alignment of app and data partitions (ESP-IDF, docs/en/api-guides/partition-tables.rst). */
const ALIGNMENT = { app: 0x10000, data: 0x1000 };

interface Partition {
	readonly name: string;
	readonly type: "app" | "data";
	readonly subtype: string;
	readonly offset: number;
	readonly size: number;
	readonly flags: readonly string[];
}

const partitions: readonly Partition[] = linesOf(read("sdkconfig/partitions.csv")).map((line) => {
	const [name, type, subtype, offset, size, flags] = line.split(",").map((field) => field.trim());
	return {
		name: name!,
		type: type as "app" | "data",
		subtype: subtype!,
		offset: Number(offset),
		size: Number(size),
		flags: flags ? flags.split(":") : [],
	};
});
const named = (name: string) => partitions.find((partition) => partition.name === name);

t.test("the partitions lie in flash, in order, aligned, without gaps", async (t) => {
	let at = AFTER_TABLE;
	for (const { name, type, offset, size } of partitions) {
		t.equal(offset, at, `${name} begins where the one before ends`);
		t.equal(offset % ALIGNMENT[type], 0, `${name} is aligned`);
		t.equal(size % ALIGNMENT[type], 0, `${name} is whole`);
		t.ok(size > 0 && name.length <= 15, name);
		at = offset + size;
	}
	t.equal(at, FLASH, "to the end of flash");
	t.equal(new Set(partitions.map(({ name }) => name)).size, partitions.length, "no name twice");
});

t.test("the partitions are those that are asked for by name and type", async (t) => {
	// nvs_flash_init opens NVS_DEFAULT_PART_NAME. Offset and size are those of the SDK's own table; docs/flash-format.md
	// describes what a smaller partition can hold.
	t.match(named("nvs"), { type: "data", subtype: "nvs", offset: 0x9000, size: 0x6000, flags: [] });
	// esp_ota_ops.c requires two sectors, and finds the slots by their subtypes. An image that fits one slot also fits the
	// other.
	t.match(named("otadata"), { type: "data", subtype: "ota", size: 0x2000 });
	const slots = partitions.filter(({ type }) => type === "app");
	t.same(
		slots.map(({ subtype }) => subtype),
		["ota_0", "ota_1"],
	);
	t.equal(slots[0]!.size, slots[1]!.size);
	// The first release's image for an ESP32-C3, without Wi-Fi, has 929,536 bytes.
	t.ok(slots[0]!.size > 1.9 * 929_536);
	t.match(named("phy_init"), { type: "data", subtype: "phy", size: 0x1000 });
	t.match(named("nvs_keys"), { type: "data", subtype: "nvs_keys", size: 0x1000, flags: ["encrypted"] });
	t.ok(named("line")!.flags.includes("readonly"), "firmware cannot spoil what the line wrote");
});

t.test("docs/firmware.md has the table as it is", async (t) => {
	const page = readFileSync(new URL("../../docs/firmware.md", import.meta.url), "utf8");
	const hex = (value: number) => `0x${value.toString(16)}`;
	for (const { name, type, offset, size } of partitions) {
		const row =
			type === "app"
				? `| \`ota_0\`, \`ota_1\` | ${partitions
						.filter(({ type }) => type === "app")
						.map(({ offset }) => hex(offset))
						.join(", ")} | ${(size / 1024).toLocaleString("en")} KB each |`
				: `| \`${name}\` | ${hex(offset)} | ${size / 1024} KB |`;
		t.ok(page.includes(row), row);
	}
});

t.test("the settings are in the form that mcconfig merges, each once", async (t) => {
	const names: string[] = [];
	for (const file of ["sdkconfig.defaults", "sdkconfig.defaults.release"])
		for (const line of linesOf(read(`sdkconfig/${file}`))) {
			// mcconfig splits at each "=", and turns "n" into an empty value, which means no (tools/mcmanifest.js).
			t.match(line, /^CONFIG_[A-Z0-9_]+=(y|n|\d+)$/);
			names.push(line.split("=")[0]!);
		}
	t.equal(new Set(names).size, names.length);
	const { build } = JSON.parse(read("manifest.json")).platforms.esp32;
	for (const path of Object.values<string>(build)) t.ok(existsSync(new URL(path, folder)), path);
});
