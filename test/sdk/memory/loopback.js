// A resolver for clients that require one: every name is this computer.

import Timer from "timer";

export default {
	io: class {
		resolve({ host, onResolved }) {
			Timer.set(() => onResolved.call(this, host, "127.0.0.1"));
		}
		close() {}
	},
};
