// As much of Node's EventEmitter as mqtt-packet uses: on and emit, one listener or more for each event.

export class EventEmitter {
	#listeners = {};

	on(event, listener) {
		this.#listeners[event] ??= [];
		this.#listeners[event].push(listener);
		return this;
	}
	emit(event, argument) {
		const listeners = this.#listeners[event];
		if (!listeners) {
			if (event === "error") throw argument;
			return false;
		}
		for (const listener of listeners) listener.call(this, argument);
		return true;
	}
}
for (const name of ["addListener", "off", "once", "removeAllListeners", "removeListener"])
	Object.defineProperty(EventEmitter.prototype, name, {
		get() {
			throw new TypeError(`EventEmitter: ${name} is not provided`);
		},
	});
Object.freeze(EventEmitter.prototype);
