// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IAccountDesk} from "../interfaces/IAccountDesk.sol";
import {ActionRequest, IClearingHouse, OpenRequest, TradeRequest} from "../interfaces/IClearingHouse.sol";

/// @title An example: a protocol whose contract owns a hidden account and trades with it
/// @notice The contract is the account's auth. What it sends itself needs no signature; what a counterparty or relayer
///         carries in, it approves before by its digest (ERC-1271). Its operator holds the viewing key and makes the
///         proofs, outside the chain.
/// @dev Warning: prices and positions are hidden from this contract too. It can bound where money leaves to, as it does
///      here, but not what a trade costs: whoever operates it is trusted with that.
contract TradingWallet is IERC1271 {
    using SafeERC20 for IERC20;

    /// @notice The clearing house.
    IClearingHouse public immutable HOUSE;
    /// @notice Who trades.
    address public immutable OPERATOR;
    /// @notice To whom alone withdrawals go.
    address public immutable TREASURY;

    /// @notice Digests that others may carry in.
    mapping(bytes32 digest => bool) public isApproved;

    /// @notice Only the operator may do this.
    error OperatorOnly();
    /// @notice Money leaves to the treasury alone.
    /// @param recipient Was named.
    error RecipientWrong(address recipient);

    modifier onlyOperator() {
        if (msg.sender != OPERATOR) revert OperatorOnly();
        _;
    }

    constructor(IClearingHouse house, address operator, address treasury) {
        (HOUSE, OPERATOR, TREASURY) = (house, operator, treasury);
    }

    /// @notice Opens an account of this contract.
    /// @param request Without a signature.
    /// @return The account's number.
    function open(OpenRequest calldata request) external onlyOperator returns (bytes32) {
        return IAccountDesk(address(HOUSE)).open(request);
    }

    /// @notice Brings tokens of this contract into an account's inbox.
    /// @param account The account.
    /// @param token The token.
    /// @param amount Units of it.
    function fund(bytes32 account, IERC20 token, uint256 amount) external onlyOperator {
        token.forceApprove(address(HOUSE.VAULT()), amount);
        HOUSE.VAULT().fund(account, address(token), amount);
    }

    /// @notice Takes what is in the inbox into the account.
    /// @param request Without a signature.
    function deposit(ActionRequest calldata request) external onlyOperator {
        HOUSE.deposit(request);
    }

    /// @notice Trades: this contract's side without a signature, the other with one.
    /// @param request The trade.
    function trade(TradeRequest calldata request) external onlyOperator {
        HOUSE.trade(request);
    }

    /// @notice Takes money out, to the treasury.
    /// @param request Without a signature.
    function withdraw(ActionRequest calldata request) external onlyOperator {
        if (request.recipient != TREASURY) revert RecipientWrong(request.recipient);
        HOUSE.withdraw(request);
    }

    /// @notice Lets a counterparty or a relayer carry in one side of a trade. `IAccountViews.digestsOf` makes the
    ///         digests from the whole trade, so this approves nothing else, and no withdrawal.
    /// @param request The trade as it will be carried in.
    /// @param isPlus Whether this contract's side is the first.
    function approveTrade(TradeRequest calldata request, bool isPlus) external onlyOperator {
        (bytes32 plus, bytes32 minus) = HOUSE.VIEWS().digestsOf(request);
        isApproved[isPlus ? plus : minus] = true;
    }

    /// @inheritdoc IERC1271
    function isValidSignature(bytes32 digest, bytes calldata) external view returns (bytes4) {
        return isApproved[digest] ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}
