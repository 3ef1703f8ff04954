import { deviceFirmware } from "./modules.js";
import { buildEngine } from "./build.js";
import { Flash, presets } from "./engine.js";
import { XsDevice } from "./device.js";
import { World } from "../../test/support/world.tmp.js";
const engine = await buildEngine((process.argv[2] ?? "device") as never, console.log);
const flash = await Flash.burn({...engine, path: "/tmp/tee.sh"}, await deviceFirmware());

const t0=Date.now();
const world = await World.make({ machine: (options) => { const d = new XsDevice(flash, { ...options, preset: presets[(process.argv[3] ?? "esp32") as "esp32"], onLifeEnd: (e) => console.log(JSON.stringify(e).replaceAll("\\n", "\n")) }); return d; } });
world.machine.powerOn();
console.log(await world.play2(), Date.now()-t0, "ms");
console.log(world.events.map(e=>JSON.stringify(e)).join("\n"));
console.log(world.defects);
console.log(await (world.machine as XsDevice).measure());
world.machine.powerOff();
await flash.close();
process.exit(0);
