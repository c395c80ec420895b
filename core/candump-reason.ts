/**
 * Why a line of a candump log gives no frame: an expected outcome, so a value and not an error.
 */

/** Code and sentence of every reason. Only XL, DROPCOUNT and COMMENT lines are well formed. */
export const CANDUMP_REASONS = {
  CANDUMP_LINE_TOO_LONG: 'line is longer than any that candump writes',
  CANDUMP_COMMENT: 'line is a comment, not a frame',
  CANDUMP_DROPCOUNT: 'line reports frames that the recorder itself lost',
  CANDUMP_TIME: 'expected (seconds.microseconds) with 6 or 9 digits after the point',
  CANDUMP_BUS: 'expected an interface name of 1 to 15 visible characters without / and :',
  CANDUMP_BUS_LIMIT: 'expected at most 256 different interface names',
  CANDUMP_ID: 'expected an id of 3 digits up to 7FF, or of 8 digits up to 3FFFFFFF, before #',
  CANDUMP_DATA: 'expected pairs of hexadecimal digits as data',
  CANDUMP_LENGTH: 'expected 0 to 8 data bytes, for CAN FD also 12, 16, 20, 24, 32, 48 or 64',
  CANDUMP_DLC: 'expected a raw DLC of 9 to F, and only after 8 data bytes',
  CANDUMP_FLAGS: 'expected one hexadecimal digit of CAN FD flags after ##',
  CANDUMP_XL_UNSUPPORTED: 'line is a CAN XL frame, which is not supported',
  CANDUMP_TRAILING: 'expected nothing, R or T after the frame',
} as const;

export type CandumpReason = keyof typeof CANDUMP_REASONS;
