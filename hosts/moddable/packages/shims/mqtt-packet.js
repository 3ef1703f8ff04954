// The exports of the mqtt-packet bundle: the part of the package that the device uses.

import Parser from "mqtt-packet/parser";
import writeToStream from "mqtt-packet/writeToStream";

const { parser } = Parser;

export { parser, writeToStream };
