// Firmware from AWS IoT's file delivery (MQTT-based, "streams"), over the connection that the device has. Writes it to the slot
// that is not in use, and lets it start only if all of it has come: the order says how long it is and its SHA-256.
// https://docs.aws.amazon.com/iot/latest/developerguide/mqtt-based-file-delivery.html

/** Bytes that are asked for at a time: AWS IoT allows 256 to 131,072, and a reply is in memory twice. */
const BLOCK = 2_048;
/** ms until a block that has not come is asked for again, and how often. */
const PATIENCE = 10_000;
const TRIES = 6;

/** @typedef {{ readonly stream: string, readonly size: number, readonly sha256: string }} Order */

/**
 * What is ordered: `{"version":"0.2.0","stream":"…","size":1000000,"sha256":"…"}`.
 * @param {string} text of the message
 * @param {string} running version of the firmware that runs
 * @returns {Order | undefined} undefined when that runs already, or there is no order any more
 * @throws TypeError, SyntaxError for what is no order
 */
export function readOrder(text, running) {
	if (text === "") return undefined;
	const { version, stream, size, sha256 } = JSON.parse(text);
	const whole =
		typeof version === "string" &&
		/^[\w-]{1,128}$/.test(stream) &&
		Number.isInteger(size) &&
		size > 0 &&
		/^[0-9a-f]{64}$/.test(sha256);
	if (!whole) throw new TypeError("not an order: version, stream, size and sha256 are needed");
	return version === running ? undefined : { stream, size, sha256 };
}

/** One update, under way from now on. */
export class Update {
	/** `true` once the new firmware is what starts next, `false` after `cancel`. Rejected when it could not be had. */
	done;
	#order;
	#connection;
	#topic;
	#machine;
	#slot;
	#digest;
	#received = 0;
	#tries = 0;
	#timer;
	#settle;

	/**
	 * @param {Order} order
	 * @param {object} parts `connection` and `thingName` of the application; `machine`: see main.js
	 */
	constructor(order, { connection, thingName, machine }) {
		this.#order = order;
		this.#connection = connection;
		this.#machine = machine;
		this.#topic = `$aws/things/${thingName}/streams/${order.stream}`;
		this.done = new Promise((resolve, reject) => {
			this.#settle = { resolve, reject };
		});
		this.#begin();
	}

	/** Gives it up: the firmware that runs stays. Not an error when it has ended. */
	cancel() {
		this.#end(undefined, false);
	}

	#begin() {
		try {
			this.#slot = this.#machine.open();
			this.#digest = this.#machine.newDigest();
		} catch (error) {
			this.#end(error);
			return;
		}
		const filters = [`${this.#topic}/data/cbor`, `${this.#topic}/rejected/cbor`];
		this.#connection
			.subscribe(filters, (topic, payload) => this.#take(topic, payload))
			.then(
				() => this.#ask(),
				(error) => this.#end(error),
			);
	}

	/** Asks for the next block, and again until it has come. */
	#ask() {
		if (!this.#slot) return;
		this.#tries += 1;
		if (this.#tries > TRIES) {
			this.#end(new Error(`no answer from stream ${this.#order.stream}`));
			return;
		}
		const request = { f: 0, l: BLOCK, o: this.#received / BLOCK, n: 1 };
		this.#connection.publish(`${this.#topic}/get/cbor`, this.#machine.encode(request));
		this.#machine.timer.clear(this.#timer);
		this.#timer = this.#machine.timer.set(() => this.#ask(), PATIENCE);
	}

	#take(topic, payload) {
		if (!this.#slot) return;
		try {
			if (!topic.endsWith("/data/cbor")) throw new Error(`stream ${this.#order.stream} is refused`);
			const { i: block, p: bytes } = this.#machine.decode(payload);
			// Asked for twice, it may come twice.
			if (block !== this.#received / BLOCK) return;
			const { size, sha256 } = this.#order;
			if (!(bytes instanceof Uint8Array) || bytes.length !== Math.min(BLOCK, size - this.#received))
				throw new Error(`block ${block} is not of the length that was asked for`);
			this.#slot.write(bytes);
			this.#digest.write(bytes);
			this.#received += bytes.length;
			this.#tries = 0;
			if (this.#received < size) {
				this.#ask();
				return;
			}
			const digest = Array.from(new Uint8Array(this.#digest.close()), (byte) => byte.toString(16).padStart(2, "0"));
			if (digest.join("") !== sha256) throw new Error("its SHA-256 is not the one ordered");
			this.#slot.complete();
			this.#end();
		} catch (error) {
			this.#end(error);
		}
	}

	/** @param {Error} [error] why there is no new firmware */
	#end(error, ready = true) {
		this.#machine.timer.clear(this.#timer);
		this.#slot?.close();
		this.#slot = undefined;
		if (error) this.#settle.reject(error);
		else this.#settle.resolve(ready);
	}
}
Object.freeze(Update.prototype);
