// The part of Node's EventEmitter that mqtt-packet uses: `on` and `emit`, with any number of listeners for an event.

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
Object.freeze(EventEmitter.prototype);
