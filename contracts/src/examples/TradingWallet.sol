// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {IAccountDesk} from "../interfaces/IAccountDesk.sol";
import {ActionRequest, IClearingHouse, OpenRequest, TradeRequest} from "../interfaces/IClearingHouse.sol";
import {IRekeyDesk} from "../interfaces/IRekeyDesk.sol";

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
    /// @notice The account is not this contract's.
    /// @param account The account.
    error AccountForeign(bytes32 account);
    /// @notice Not among the calls that `act` makes.
    /// @param selector Of the call.
    error CallNotTaken(bytes4 selector);
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
        // Whoever may fund another's account pays out to its owner.
        if (HOUSE.accountOf(account).auth != address(this)) revert AccountForeign(account);
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

    /// @notice Leaves a venue without derivatives, to the treasury; needs no epoch.
    /// @param request Without a signature.
    /// @param closes Whether the account is closed.
    function withdrawFlat(ActionRequest calldata request, bool closes) external onlyOperator {
        if (request.recipient != TREASURY) revert RecipientWrong(request.recipient);
        if (closes) HOUSE.close(request);
        else HOUSE.withdrawFlat(request);
    }

    /// @notice Takes tokens back out of an inbox, to the treasury.
    /// @param index Of this contract's account.
    /// @param token The token.
    /// @param amount Units of it.
    function pullBack(uint64 index, IERC20 token, uint256 amount) external onlyOperator {
        HOUSE.VAULT().pullBack(index, address(token), amount, TREASURY);
    }

    /// @notice Fees that this contract earned by submitting, to the treasury.
    function collectFees() external onlyOperator {
        HOUSE.collectFees(TREASURY);
    }

    /// @notice What moves no money and an owner must be able to do: keep up with the listing, prove, take a new viewing
    ///         key, follow a successor of the verification key, revoke a signed action.
    /// @param call Calldata for the clearing house.
    function act(bytes calldata call) external onlyOperator {
        bytes4 selector = bytes4(call);
        if (
            selector != IClearingHouse.cure.selector &&
            selector != IClearingHouse.roll.selector &&
            selector != IAccountDesk.move.selector &&
            selector != IAccountDesk.invalidate.selector &&
            selector != IRekeyDesk.rekey.selector
        ) revert CallNotTaken(selector);
        Address.functionCall(address(HOUSE), call);
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
