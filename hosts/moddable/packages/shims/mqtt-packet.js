// What the bundle of mqtt-packet exports.

import mqtt from "mqtt-packet";

export const { generate, parser, writeToStream } = mqtt;

// or the first packet would fill a cache of 65,536 buffers
writeToStream.cacheNumbers = false;
