// Power-on: the one module that is not preloaded, since it touches the machine.

import { boot } from "../../../src/boot.js";
import { createApplication } from "./application.js";
import { createHost } from "./host.js";
import { HALTED } from "./kinds.js";

const { host, listener } = createHost();
const { application, call } = createApplication();
machine.listen((kind, id, number, bytes) => {
	if (!listener(kind, id, number, bytes)) call(kind, id, number, bytes);
});
boot(host, application).then(() => machine.tell(HALTED));
