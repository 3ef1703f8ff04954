// What is removed from the packages or replaced for the device, and why. Every replacement must match when the packages are
// bundled: if a new version of a package has different code, the build fails.

/** A replacement in one file of a package. */
export interface Replacement {
	readonly file: string;
	readonly from: string | RegExp;
	readonly to: string;
}

export const cborReplacements: readonly Replacement[] = [
	// XS uses a stack slot for every outer variable that a function refers to, and the stack has few slots. So everything that
	// the device does not need is removed, which shrinks the frames of read() and encode() to a third. What remains is plain
	// objects (or maps), arrays, text, bytes, numbers and simple values: no tags, and no records, shared or packed values.
	// Options that would need more are refused.
	{
		file: "decode.js",
		from: "	constructor(options) {\n",
		to: `	constructor(options) {
for (const name in options)
	if (!["useRecords", "mapsAsObjects", "variableMapSize", "tagUint8Array"].includes(name))
		throw new TypeError(\`cbor-x: option \${name} is not provided\`)
if (!options || options.useRecords !== false) throw new TypeError("cbor-x: useRecords must be false")
`,
	},
	{
		file: "decode.js",
		from: /\t\tif \(options\) \{\n[\s\S]*?(?=\t\tObject\.assign\(this, options\)\n)/,
		to: "this.mapsAsObjects = true\n",
	},
	{ file: "decode.js", from: /\t\/\*\n\tdecodeKey\([\s\S]*?(?=\tdecode\(source, end\))/, to: "" },
	{ file: "decode.js", from: "currentDecoder.int64AsNumber", to: "false" },
	{ file: "decode.js", from: "end > -1 && end < source.length ? end : source.length", to: "source.length" },
	// The view is kept by nobody: a property of the bytes would cost RAM.
	{
		file: "decode.js",
		from: /try \{\s*(dataView = )source\.dataView \|\| \(source\.dataView = (new DataView\(.*?\))\)\n[\s\S]*?\n\t\t\}\n/,
		to: "$1$2\n",
	},
	{ file: "decode.js", from: /\n\s*\w+\.incomplete = true/g, to: "" },
	{ file: "decode.js", from: /if \(neededEnd\)\s*error\.neededEnd = neededEnd/, to: "" },
	{ file: "decode.js", from: /endOfCBORError\(position \+ .*?\)(?=\n)/g, to: "endOfCBORError()" },
	{ file: "decode.js", from: "currentDecoder.copyBuffers", to: "false" },
	{ file: "decode.js", from: "case 6: // extension", to: "case 6: throw new Error('CBOR tags are not provided')" },
	{
		file: "decode.js",
		from: "let packedValue = (packedValues || getPackedValues())[token]",
		to: "let packedValue",
	},
	{ file: "decode.js", from: /currentDecoder\.keyMap/g, to: "false" },
	{ file: "decode.js", from: "currentDecoder.useFloat32 > 2", to: "false" },
	{ file: "decode.js", from: "if (srcStringEnd >= position) { // already", to: "if (false) { // already" },
	{ file: "decode.js", from: /\tdecodeMultiple\([\s\S]*?\n\t\}\n\}/, to: "}" },
	// The package's limits are far beyond a device's memory. The check that a container has at least one byte per item stays.
	{ file: "decode.js", from: /if \(token > (maxArraySize|objectSizeLimit|maxMapSize)\) .*/g, to: "" },
	{
		file: "decode.js",
		from: /if \(i(\+\+)? >= (maxArraySize|objectSizeLimit|maxMapSize)\) (\{\s*throw .*\s*\}|throw .*)/g,
		to: "",
	},
	{
		file: "decode.js",
		from: /if \(restoreMapsAsObject\) \{\s*currentDecoder\S* = true\s*\S* = false\s*\}/g,
		to: "",
	},
	{ file: "decode.js", from: "let keyCache = new Array(4096)", to: "" },
	{
		file: "decode.js",
		from: /currentExtensions\[0\] = [\s\S]*?(?=function readBundleExt)/,
		to: "export const typedArrays = []\n",
	},
	{ file: "decode.js", from: /function isBuiltinScanTag[\s\S]*?(?=export function addExtension)/, to: "" },
	{ file: "decode.js", from: /const builtinScanTags = .*\n/, to: "" },
	{ file: "decode.js", from: /export const mult10[\s\S]*?\n}\n/, to: "export const mult10 = []\n" },
	{ file: "decode.js", from: /let defaultDecoder[\s\S]*?(?=export const FLOAT32_OPTIONS)/, to: "" },
	{ file: "encode.js", from: /\tthis\.mapEncode = [\s\S]*?(?=\t\tthis\.encode = )/, to: "" },
	{ file: "encode.js", from: /\tthis\.findCommonStringsToPack = [\s\S]*?(?=\t\tconst encode = )/, to: "" },
	{ file: "encode.js", from: /let chunkThreshold = 100;[\s\S]*?(?=\t\}\n\tuseBuffer)/, to: "" },
	{ file: "encode.js", from: /\tclearSharedData\(\) \{[\s\S]*?(?=\}\nfunction writeEntityLength)/, to: "" },
	{ file: "encode.js", from: /const isLittleEndianMachine[\s\S]*?(?=function writeBuffer)/, to: "" },
	{ file: "encode.js", from: /let defaultEncoder[\s\S]*?(?=export \{ FLOAT32)/, to: "" },
	{ file: "encode.js", from: "referenceMap = encoder.structuredClone ? new Map() : null", to: "" },
	{ file: "encode.js", from: "if (encoder.bundleStrings && typeof value !== 'string')", to: "if (false)" },
	{ file: "encode.js", from: "sharedStructures = encoder.structures\n", to: "\n" },
	{ file: "encode.js", from: /if \(sharedStructures\) \{/g, to: "if (false) {" },
	{ file: "encode.js", from: "structures = sharedStructures || []", to: "" },
	{ file: "encode.js", from: "packedObjectMap = sharedPackedObjectMap\n", to: "\n" },
	{ file: "encode.js", from: "if (options.pack) {", to: "if (false) {" },
	{ file: "encode.js", from: "if (bundledStrings && bundledStrings.position)", to: "if (false)" },
	{ file: "encode.js", from: "if (referenceMap && referenceMap.idsToInsert)", to: "if (false)" },
	{ file: "encode.js", from: "if (hasSharedUpdate && encoder.saveShared)", to: "if (false)" },
	{ file: "encode.js", from: "if (hasSharedUpdate)\n\t\t\t\thasSharedUpdate = false", to: "" },
	{ file: "encode.js", from: "if (packedObjectMap) {", to: "if (false) {" },
	{ file: "encode.js", from: "if (bundledStrings && strLength >= 4 && strLength < 0x400)", to: "if (false)" },
	{ file: "encode.js", from: "if (referenceMap) {", to: "if (false) {" },
	{ file: "encode.js", from: "(useFloat32 = this.useFloat32) > 0", to: "false" },
	{ file: "encode.js", from: /encoder\.keyMap/g, to: "false" },
	{ file: "encode.js", from: "if (this.skipFunction === true)", to: "if (false)" },
	{
		file: "encode.js",
		from: "} else if (constructor === Map) {",
		to: `} else if (value instanceof Uint8Array) {
				writeBuffer(value, makeRoom)
			} else if (true) {
				throw new TypeError("cbor-x: only plain objects, arrays and bytes are provided")
			} else if (constructor === Map) {`,
	},
	{ file: "encode.js", from: "type === 'bigint'", to: "false" },
	{
		file: "encode.js",
		from: /\t\tlet hasSharedStructures = [\s\S]*?let serializationsSinceTransitionRebuild = 0\n/,
		to: "",
	},
	{ file: "encode.js", from: "encoder.useSelfDescribedHeader", to: "false" },
	{ file: "encode.js", from: "encodeOptions & REUSE_BUFFER_MODE", to: "false" },
	// Maps of fixed header size are written by another function, which the device does not need.
	{
		file: "encode.js",
		from: "this.useRecords === false ? this.variableMapSize",
		to: "true ? true",
	},
	{ file: "encode.js", from: /if \(end > 0x1000000\) \{[\s\S]*?\} else/, to: "" },
	{ file: "encode.js", from: /if \(target\.copy\)\n.*\n\s*else/, to: "" },
	{ file: "encode.js", from: /\tuseBuffer\(buffer\) \{[\s\S]*?\n\t\}\n/, to: "" },
	{
		file: "encode.js",
		from: /const Buffer = [\s\S]*?const MAX_BUFFER_SIZE = .*\n/,
		to: "const ByteArrayAllocate = Uint8Array\n",
	},
	{
		file: "encode.js",
		from: /\t\tlet typeBuffer\n[\s\S]*?options = options \|\| \{\}\n/,
		to: "let start\n",
	},
	{ file: "encode.js", from: "\t\tthis.offset = 0\n", to: "" },
	{ file: "encode.js", from: /encoder\.offset = position .*/, to: "" },
	{ file: "encode.js", from: "buffer.buffer ? buffer : new Uint8Array(buffer)", to: "buffer" },
	{
		file: "decode.js",
		from: /if \(nestedDecodeErrors\.has\(error\)\) \{[\s\S]*?(?=\t\tthrow error\n)/,
		to: "",
	},
	{ file: "decode.js", from: /\} else if \(position > srcEnd\) \{[\s\S]*?(?=\} else if \(!sequentialMode\))/, to: "" },
	{ file: "decode.js", from: "} else if (!sequentialMode) {", to: "} else {" },
	{ file: "decode.js", from: /case 2: \/\/ byte string\n\s*case 3: .*\n.*\n/, to: "" },
	{ file: "decode.js", from: /return majorType == 4 \? array : .*/, to: "return array" },
	{
		file: "decode.js",
		from: /let packedValue\n\s*if \(packedValue !== undefined\)\s*return packedValue\n/,
		to: "",
	},
	{ file: "decode.js", from: /if \(isNaN\(token\)\) throw endOfCBORError\(\)/, to: "" },
	// XS converts UTF-8 itself. The package's own decoder takes a stack slot for each character of a short text.
	{ file: "decode.js", from: /try \{\s*decoder = [\s\S]*?\{\}/, to: "" },
	{
		file: "decode.js",
		from: /if \(srcStringEnd == 0 && [\s\S]*?return readFixedString\(token\)/,
		to: "return textOf(src, position, position += token)",
	},
	{ file: "decode.js", from: /let readFixedString = readStringJS[\s\S]*?(?=function readBin)/, to: "" },
	{ file: "decode.js", from: /function readBundleExt[\s\S]*?(?=export function clearSource)/, to: "" },
	{ file: "decode.js", from: "if (src) {", to: "if (false) {" },
	{ file: "encode.js", from: /try \{\s*textEncoder = [\s\S]*?\{\}/, to: "" },
	{ file: "encode.js", from: /let encodeUtf8 = [\s\S]*?(?=\t\tlet encoder = this)/, to: "" },
	{
		file: "encode.js",
		from: /\t\t\t\tlet headerSize\n[\s\S]*?\t\t\t\tposition \+= length\n(?=\t\t\t\} else if \(type === 'number'\))/,
		to: `const utf8 = bytesOf(value)
length = utf8.length
if (position + length > safeEnd) target = makeRoom(position + length)
writeEntityLength(length, 0x60)
target.set(utf8, position)
position += length
`,
	},
	// The package has a function for the head of an item, and the same code again wherever speed matters.
	{
		file: "encode.js",
		from: /if \(!this\.alwaysUseFloat && value >>> 0 === value\) \{[\s\S]*?(?=\t\t\t\t\} else \{\n\t\t\t\t\tlet useFloat32)/,
		to: `if (value >>> 0 === value) {
writeEntityLength(value, 0)
} else if (value < 0 && value >= -0x100000000 && Math.floor(value) === value) {
writeEntityLength(-1 - value, 0x20)
`,
	},
	{
		file: "encode.js",
		from: /(let length = keys\.length\n)[\s\S]*?(?=\t\t\tlet key\n)/,
		to: "$1writeEntityLength(length, 0xa0)\n",
	},
	{
		file: "encode.js",
		from: /(function writeArrayHeader\(length\) \{\n)[\s\S]*?\n\}\n/,
		to: "$1writeEntityLength(length, 0x80)\n}\n",
	},
	{
		file: "encode.js",
		from: /(let length = buffer\.byteLength\n)[\s\S]*?(?=\tif \(position \+ length >= target\.length\))/,
		to: "$1writeEntityLength(length, 0x40)\n",
	},
	// Each request has a buffer of its own, which begins with a quarter of a KB and grows if necessary. The package would allocate 8 KB
	// and keep it forever.
	{
		file: "encode.js",
		from: /if \(!target\) \{\n[\s\S]*?\t\t\tstart = position\n/,
		to: `target = new ByteArrayAllocate(256)
targetView = new DataView(target.buffer)
safeEnd = 246
start = position = 0
`,
	},
	{
		file: "encode.js",
		from: /if \(encodeOptions & RESET_BUFFER_MODE\)\s*position = start\n/,
		to: "target = targetView = null\n",
	},
	// The buffer grows by what is needed. The package would allocate 16 KB for a signing request of 1 KB, and keep it forever.
	{
		file: "encode.js",
		from: "((Math.max((end - start) << 2, target.length - 1) >> 12) + 1) << 12",
		to: "end - start + 256",
	},
	// The last input, for example a reply of 3 KB, is released.
	{ file: "decode.js", from: "// finished reading this source, cleanup references", to: "dataView = null" },
	// Variables that only the removed code uses: each costs a pointer in RAM, and more once it is written to.
	{ file: "decode.js", from: /try \{\s*new Function\(''\)[\s\S]*?\n\}\n/, to: "" },
	{ file: "decode.js", from: "let currentDecoder = {}", to: "let currentDecoder" },
	{ file: "decode.js", from: /\t\tstringPosition = 0\n[\s\S]*?(?=\t\tsrc = source\n)/, to: "" },
	{
		file: "decode.js",
		from: /if \(this instanceof Decoder\) \{\s*currentDecoder = this[\s\S]*?(?=\t\treturn checkedRead\(\)\n\t\}\n)/,
		to: "currentDecoder = this\n",
	},
	{ file: "decode.js", from: /if \(bundledStrings\) \{[\s\S]*?\n\t\t\}\n/, to: "" },
	{
		file: "decode.js",
		from: /\t\t\tcurrentStructures = null\n(\t\t\tsrc = null\n)\t\t\tif \(referenceMap\)\s*referenceMap = null\n/,
		to: "$1",
	},
	{ file: "decode.js", from: "\treferenceMap = null\n\tcurrentStructures = null\n}", to: "}" },
	{ file: "encode.js", from: /else\s+bundledStrings = null\n/, to: "\n" },
	{
		file: "encode.js",
		from: /throwOnIterable = encodeOptions[\s\S]*?if \(throwOnIterable\)\s*return;/,
		to: "try {",
	},
	{ file: "encode.js", from: "export const { NEVER, ALWAYS, DECIMAL_ROUND, DECIMAL_FIT } = FLOAT32_OPTIONS", to: "" },
	{ file: "decode.js", from: /let f32Array = .*\nlet u8Array = .*\n/, to: "" },
	// The package converts 16-bit floats in a module-level array, which cannot be written to once it is in flash.
	{
		file: "decode.js",
		from: /\tu8Array\[3\] = [\s\S]*?return f32Array\[0\];/,
		to: "\treturn (byte0 & 0x80 ? -1 : 1) * (1024 + ((byte0 & 3) << 8 | byte1)) * 2 ** (exponent - 25);",
	},
];

/** Turns CommonJS into ES modules. They are then bundled into one scope, without CommonJS wrappers, which would be mutable. */
const asModules = (file: string): readonly Replacement[] => [
	{ file, from: /^const (.+) = require\('(.+?)'\)$/gm, to: "import $1 from '$2'" },
	{ file, from: "module.exports =", to: "export default" },
];

export const mqttReplacements: readonly Replacement[] = [
	{ file: "parser.js", from: /^const debug = .*$/m, to: "" },
	{ file: "writeToStream.js", from: /^const debug = .*$/m, to: "" },
	...["parser.js", "writeToStream.js", "numbers.js"].flatMap(asModules),
	{ file: "packet.js", from: "module.exports =", to: "export default" },
	{ file: "constants.js", from: "const protocol = module.exports", to: "const protocol = {}\nexport default protocol" },
	{ file: "constants.js", from: /^const \{ Buffer \} = .*$/m, to: "" },
	// The first packet would fill a cache of 65,536 buffers (11 MB), and one more buffer would be kept for every packet length
	// seen.
	{ file: "numbers.js", from: "const max = 65536\nconst cache = {}", to: "" },
	{ file: "numbers.js", from: /function generateCache [\s\S]*?\n\}\n/, to: "" },
	{
		file: "numbers.js",
		from: /function generate4ByteBuffer [\s\S]*/,
		to: "export { generateBuffer as generateNumber, genBufVariableByteInt }\n",
	},
	{ file: "writeToStream.js", from: /^import numbers from .*$/m, to: "" },
	{
		file: "writeToStream.js",
		from: /const numCache = [\s\S]*?let toGenerate = true\n/,
		to: "import { generateNumber, genBufVariableByteInt } from './numbers'\n",
	},
	{ file: "writeToStream.js", from: / {2}if \(toGenerate\) \{[\s\S]*?\n {2}\}\n/, to: "" },
	{ file: "writeToStream.js", from: /Object\.defineProperty\(generate, [\s\S]*?\n\}\)\n/, to: "" },
	{ file: "writeToStream.js", from: /function writeNumberCached [\s\S]*?\n\}\n/, to: "" },
	{ file: "writeToStream.js", from: "function writeNumberGenerated ", to: "function writeNumber " },
	{ file: "writeToStream.js", from: "const varByteIntCache = {}", to: "" },
	{
		file: "writeToStream.js",
		from: /let buffer = varByteIntCache\[num\][\s\S]*?\n {2}\}\n/,
		to: "const buffer = genBufVariableByteInt(num)\n",
	},
	// Mutable objects in flash cost RAM. A typed array can be frozen only while it is empty, so header bytes become plain
	// arrays; the code that uses them only copies from them.
	{ file: "constants.js", from: /Buffer\.from\((\[.*\])\)/g, to: "$1" },
	{
		file: "constants.js",
		from: /const buf = Buffer\.alloc\(1\)\s*buf\.writeUInt8\(([\s\S]*?), 0, true\)\s*return buf/,
		to: "return [$1]",
	},
	{ file: "constants.js", from: /$/, to: "\nObject.freeze(protocol, true)\n" },
	{ file: "writeToStream.js", from: "const empty = Buffer.allocUnsafe(0)", to: "const empty = Object.freeze([])" },
	{ file: "writeToStream.js", from: "const zeroBuf = Buffer.from([0])", to: "" },
	{ file: "packet.js", from: /$/, to: "\nObject.freeze(Packet.prototype)\n" },
	{ file: "parser.js", from: /$/, to: "\nObject.freeze(Parser.prototype)\n" },
	// Numbers become plain arrays, from which the device copies as from any bytes.
	{ file: "numbers.js", from: /const SubOk = .*/, to: "" },
	{
		file: "numbers.js",
		from: /function generateBuffer \(i\) \{[\s\S]*?\n\}/,
		to: "function generateBuffer (i) {\n  return [i >> 8, i & 255]\n}",
	},
	{ file: "numbers.js", from: "Buffer.allocUnsafe(maxLength)", to: "[]" },
	{ file: "numbers.js", from: "buffer.writeUInt8(digit, pos++)", to: "buffer[pos++] = digit" },
	{ file: "numbers.js", from: /if \(num > 0\) \{\s*pos = 0[\s\S]*?(?=\n\}\n)/, to: "return buffer" },
	// Streams that support corking, bridges, and MQTT 3.1 are not there.
	{ file: "writeToStream.js", from: /if \(stream\.cork\) \{[\s\S]*?\n {2}\}\n/, to: "" },
	{ file: "writeToStream.js", from: /^const nextTick = .*$/m, to: "" },
	{ file: "writeToStream.js", from: /function uncork [\s\S]*?\n\}\n/, to: "" },
	{ file: "writeToStream.js", from: /if \(settings\.bridgeMode\) \{[\s\S]*?\n {2}\}\n/, to: "" },
	{
		file: "writeToStream.js",
		from: /protocolVersion === 131\s*\?[\s\S]*?protocol\.VERSION3\n/,
		to: "protocol.VERSION4\n",
	},
	{
		file: "writeToStream.js",
		from: "protocolVersion !== 3 && protocolVersion !== 4 && protocolVersion !== 5",
		to: "protocolVersion !== 4",
	},
	{ file: "writeToStream.js", from: "(clientId || protocolVersion >= 4) && ", to: "" },
	{ file: "writeToStream.js", from: /if \(protocolVersion < 4\) \{[\s\S]*?\n {4}\}\n/, to: "" },
	// The device is a client that speaks MQTT 3.1.1. MQTT 5, and the packets that only servers send or read, are removed to
	// save memory. A client must reject such packets, and they now fail with "Not supported".
	{ file: "constants.js", from: /protocol\.properties = [\s\S]*?(?=function genHeader)/, to: "" },
	{ file: "constants.js", from: /protocol\.MQTT5_\w+ = [\s\S]*?\n\}\n/g, to: "" },
	{ file: "writeToStream.js", from: /(version|protocolVersion) === 5/gi, to: "false" },
	{ file: "writeToStream.js", from: /case '(connack|suback|unsuback|auth)':\n.*\n/g, to: "" },
	{ file: "writeToStream.js", from: /function connack [\s\S]*?(?=function publish )/, to: "" },
	{ file: "writeToStream.js", from: /function suback [\s\S]*?(?=function unsubscribe )/, to: "" },
	{ file: "writeToStream.js", from: /function unsuback [\s\S]*?(?=function emptyPacket )/, to: "" },
	{ file: "writeToStream.js", from: /function auth [\s\S]*?(?=\/\*\*\n \* writeVarByteInt)/, to: "" },
	{ file: "writeToStream.js", from: /function writeStringPair [\s\S]*?(?=\/\*\*)/, to: "" },
	{ file: "writeToStream.js", from: /function getProperties [\s\S]*?(?=function byteLength )/, to: "" },
	{ file: "parser.js", from: /this\.settings\.protocolVersion === 5/g, to: "false" },
	{ file: "parser.js", from: /case '(connect|subscribe|unsubscribe|auth)':\n.*\n\s*break\n/g, to: "" },
	{ file: "parser.js", from: / {2}_parseConnect \(\) [\s\S]*?(?= {2}_parseConnack \(\))/, to: "" },
	{ file: "parser.js", from: / {2}_parseSubscribe \(\) [\s\S]*?(?= {2}_parseSuback \(\))/, to: "" },
	{ file: "parser.js", from: / {2}_parseUnsubscribe \(\) [\s\S]*?(?= {2}_parseUnsuback \(\))/, to: "" },
	{ file: "parser.js", from: / {2}\/\/ parse auth packet[\s\S]*?(?= {2}_parseMessageId \(\))/, to: "" },
	{ file: "parser.js", from: / {2}_parseStringPair \(\) [\s\S]*?(?= {2}_parseNum \(\))/, to: "" },
	{ file: "parser.js", from: / {2}_parse4ByteNum \(\) [\s\S]*?(?= {2}_parseVarByteNum )/, to: "" },
	{ file: "parser.js", from: / {2}_parseByType [\s\S]*?(?= {2}_newPacket \(\))/, to: "" },
	// Of the packets of QoS 2, and those that only a client sends or only a server, none is there.
	{ file: "writeToStream.js", from: /case '(pubrec|pubrel|pubcomp|pingresp)':\n/g, to: "" },
	{ file: "writeToStream.js", from: / {2}const type = settings\.cmd \|\| 'puback'\n/, to: "" },
	{ file: "writeToStream.js", from: / {2}const dup = .*type === 'pubrel'.*\n {2}let qos = 0\n/, to: "" },
	{ file: "writeToStream.js", from: /if \(type === 'pubrel'\) qos = 1/, to: "" },
	{ file: "writeToStream.js", from: "protocol.ACKS[type][qos][dup][0]", to: "protocol.PUBACK_HEADER" },
	{
		file: "constants.js",
		from: /protocol\.ACKS = \{[\s\S]*?\n\}\n/,
		to: "protocol.PUBACK_HEADER = [protocol.codes.puback << protocol.CMD_SHIFT]\n",
	},
	{ file: "parser.js", from: /case '(pubrec|pubrel|pubcomp|pingreq)':\n/g, to: "" },
	{ file: "parser.js", from: /case 'disconnect':\n.*\n\s*break\n/, to: "" },
	{ file: "parser.js", from: "this._parseConfirmation()", to: "this._parseMessageId()" },
	{ file: "parser.js", from: /\(this\.settings\.protocolVersion === 3 \|\|\s*.*?\) && /, to: "" },
	{
		file: "parser.js",
		from: /if \(packet\.returnCode === -1 \|\| packet\.reasonCode === -1\) .*\n/,
		to: "",
	},
	{ file: "parser.js", from: "if (fullInfoFlag)", to: "if (true)" },
	{ file: "parser.js", from: "this._parseVarByteNum(true)", to: "this._parseVarByteNum()" },
	{ file: "parser.js", from: "_parseVarByteNum (fullInfoFlag)", to: "_parseVarByteNum ()" },
	{ file: "parser.js", from: "const padding = this._pos ? this._pos : 0", to: "const padding = 0" },
	// Neither is ever sent again.
	{ file: "writeToStream.js", from: / {2}const dup = settings\.dup \? protocol\.DUP_MASK : 0\n/g, to: "" },
	{ file: "writeToStream.js", from: /(protocol\.(?:UN)?SUBSCRIBE_HEADER)\[1\]\[dup \? 1 : 0\]\[0\]/g, to: "$1" },
	{
		file: "constants.js",
		from: /^(protocol\.(?:UN)?SUBSCRIBE_HEADER) = genHeader\('(\w+)'\)$/gm,
		to: "$1 = [(protocol.codes.$2 << protocol.CMD_SHIFT) | 2]",
	},
	{
		file: "parser.js",
		from: / {2}\/\/ parse packets like puback, [\s\S]*?(?= {2}_parseMessageId \(\))/,
		to: "",
	},
	// AWS IoT identifies a device by its certificate.
	{
		file: "writeToStream.js",
		from: / {2}let providedUsername = false\n[\s\S]*?(?= {2}\/\/ Generate header\n)/,
		to: "  if (username != null || password != null) {\n    stream.destroy(new Error())\n    return false\n  }\n",
	},
	{ file: "writeToStream.js", from: /^ {2}flags \|= \((username|password) .*\n/gm, to: "" },
	{
		file: "writeToStream.js",
		from: /^ {2}if \((username|password) != null\) \{\n {4}writeStringOrBuffer\([\s\S]*?\n {2}\}\n/gm,
		to: "",
	},
	{ file: "writeToStream.js", from: /function isStringOrBuffer [\s\S]*?\n\}\n/, to: "" },
	{ file: "writeToStream.js", from: "bufOrString instanceof Buffer", to: "Buffer.isBuffer(bufOrString)" },
	// All errors are alike, because their texts are not passed on.
	{ file: "writeToStream.js", from: /stream\.destroy\(new Error\(.*\)\)/g, to: "refuse(stream)" },
	{ file: "writeToStream.js", from: /$/, to: "\nfunction refuse (stream) {\n  stream.destroy(new Error())\n}\n" },
	{ file: "parser.js", from: /this\._emitError\(new Error\(.*\)\)/g, to: "this._emitError()" },
	{ file: "parser.js", from: "_emitError (err) {", to: "_emitError () {\n    const err = new Error()" },
	// What only the removed code used.
	{ file: "writeToStream.js", from: /^ {2}const (version|properties) = .*\n/gm, to: "" },
	{ file: "writeToStream.js", from: /^ {2}let (propertiesData|willProperties)( = null)?\n/gm, to: "" },
	{ file: "writeToStream.js", from: /^ {4}willProperties = \{\}\n/m, to: "" },
	{
		file: "writeToStream.js",
		from: /if \(propertiesData !==? null\) \{\s*propertiesData\.write\(\)\s*\}( else \{[\s\S]*?\n {2}\})?\n/g,
		to: "",
	},
	{ file: "writeToStream.js", from: /^ {2}const reasonCode = .*\n/gm, to: "" },
	{ file: "writeToStream.js", from: /^ {2}if \(length === 3\) .*\n/m, to: "" },
	{ file: "writeToStream.js", from: /^ {4}const j(nl|rap|rh) = .*\n/gm, to: "" },
	{
		file: "constants.js",
		from: /protocol\.requiredHeaderFlagsErrors = \{\}\n[\s\S]*?\n\}\n/,
		to: "",
	},
	{ file: "constants.js", from: /^ {2}pingresp: .*\n/m, to: "" },
	{
		file: "constants.js",
		from: /^protocol\.(SESSIONPRESENT_HEADER|CONNACK_HEADER|SUBACK_HEADER|VERSION(3|5|131|132)|SUBSCRIBE_OPTIONS_(RH|NL|RAP)) = .*\n/gm,
		to: "",
	},
	{ file: "constants.js", from: /protocol\.QOS = [\s\S]*?\n\}\)\n/, to: "" },
	{ file: "constants.js", from: /protocol\.codes = [\s\S]*?\n\}\n/, to: "" },
	{ file: "constants.js", from: "protocol.codes[type]", to: "type" },
	{ file: "parser.js", from: / {2}_parseByte \(\) [\s\S]*?(?= {2}_newPacket \(\))/, to: "" },
	// The arguments of debug() would be computed only to be discarded.
	{ file: "writeToStream.js", from: /^\s*debug\(.*\)$/gm, to: "" },
	{ file: "parser.js", from: /^\s*debug\(.*\)$/gm, to: "" },
];
