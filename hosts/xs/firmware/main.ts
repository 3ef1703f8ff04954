// Power-on. The only module that is not preloaded, because it uses the machine.

import { boot } from "../../../src/boot.js";
import { createApplication } from "./application.js";
import { createHost } from "./host.js";
import { HALTED } from "./kinds.js";

const machineSide = createHost();
const applicationSide = createApplication();
const handlers = { ...machineSide.handlers, ...applicationSide.handlers };
machine.listen((kind, id, number, bytes) => handlers[kind]?.(id, number, bytes));
boot(machineSide.host, applicationSide.application).then(() => machine.tell(HALTED));
