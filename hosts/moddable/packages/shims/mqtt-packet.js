// What the bundle of mqtt-packet exports: the same as the package.

import generate from "mqtt-packet/generate";
import Parser from "mqtt-packet/parser";
import writeToStream from "mqtt-packet/writeToStream";

const { parser } = Parser;

export { generate, parser, writeToStream };
