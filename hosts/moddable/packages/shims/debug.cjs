// The package debug, silent. The bundle leaves out nearly all calls of it; what is left must cost nothing.

module.exports = () => () => {};
