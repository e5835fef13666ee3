module.exports = { networks: { hardhat: { hardfork: "cancun" } } };
