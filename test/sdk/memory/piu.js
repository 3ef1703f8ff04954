// Piu with a line of text.

import "piu/MC";

export default function () {
	const style = new Style({ font: "semibold 18px Open Sans", color: "black" });
	const label = new Label(null, { left: 0, right: 0, top: 0, bottom: 0, style, string: "hello" });
	const skin = new Skin({ fill: "white" });
	new Application(null, { displayListLength: 4096, commandListLength: 2048, touchCount: 0, skin, contents: [label] });
	trace("ready\n");
}
