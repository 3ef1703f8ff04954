// The exports of the mqtt-packet bundle: the same as the package's.

import generate from "mqtt-packet/generate";
import Parser from "mqtt-packet/parser";
import writeToStream from "mqtt-packet/writeToStream";

const { parser } = Parser;

export { generate, parser, writeToStream };
