// A name server for clients that want one: the only host there is, is this computer.

import Timer from "timer";

export default {
	io: class {
		resolve({ host, onResolved }) {
			Timer.set(() => onResolved.call(this, host, "127.0.0.1"));
		}
		close() {}
	},
};
