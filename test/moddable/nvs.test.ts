// How the ESP32's storage interprets the SDK's exceptions, which contain error names on some chips and numbers on others.

import t from "tap";
import { storageIn } from "../../hosts/moddable/esp32/nvs.js";

/** What `write` throws when the SDK's exception has this message. */
function thrownBy(message: string): Error & { code?: string } {
	const refuse = () => {
		throw new Error(message);
	};
	try {
		storageIn({ read: refuse, write: refuse, delete: refuse }).write("state.a", new ArrayBuffer(1));
	} catch (error) {
		return error as Error;
	}
	throw new Error("nothing is thrown");
}

t.test("given a full partition, then it is told, by its name and by its number", async (test) => {
	for (const message of [
		"ESP_ERR_NVS_NOT_ENOUGH_SPACE",
		"ESP_ERR_NVS_NO_FREE_PAGES",
		"UNKNOWN ERROR 0x1105(4357)",
		"UNKNOWN ERROR 0x110d(4365)",
		"ERROR 0x110D(4365)",
		"Unknown error 4357",
	])
		test.match(thrownBy(message), { code: "full", message });
});

t.test("given another failure, then it is not taken for a full partition", async (test) => {
	for (const message of ["ESP_ERR_NVS_REMOVE_FAILED", "UNKNOWN ERROR 0x1108(4360)", "UNKNOWN ERROR 0x11051(69713)", ""])
		test.equal(thrownBy(message).code, undefined, message);
});

t.test("given a namespace, then what is written is read and deleted there", async (test) => {
	const values = new Map<string, ArrayBuffer>();
	const storage = storageIn({
		read: (key) => values.get(key),
		write: (key, value) => values.set(key, value),
		delete: (key) => values.delete(key),
	});
	const value = Uint8Array.of(1, 2).buffer;
	storage.write("cred.a", value);
	test.equal(storage.read("cred.a"), value);
	storage.delete("cred.a");
	test.equal(storage.read("cred.a"), undefined);
});
