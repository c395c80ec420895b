/** What no check can show, whatever the verdicts: printed with every report (spec/verification.md, "Not proven"). */

export const NOT_PROVEN: readonly { readonly code: string; readonly text: string }[] = [
  { code: 'SENSORS', text: 'that sensors and control units told the truth' },
  { code: 'SENDER', text: 'that the frames on the bus were sent by the genuine control unit' },
  { code: 'VEHICLE', text: 'that the device was connected to this vehicle all the time' },
  { code: 'DRIVER', text: 'who drove' },
  {
    code: 'BEFORE_SEALING',
    text: 'what a compromised device did between an event and its sealing',
  },
  { code: 'OMISSION', text: 'that nothing was left out before sealing' },
  { code: 'EXACT_TIME', text: 'any time finer than the stated bounds' },
  {
    code: 'AGE_OF_FRAMES',
    text: 'when the frames were sensed: the bounds date the sealing, and old frames can be sealed late',
  },
  { code: 'DECODING', text: 'values derived from the frames, if the decoding rules are wrong' },
  {
    code: 'OTHER_HISTORIES',
    text: 'that no other history of this vehicle exists: who is offline cannot look for one',
  },
  { code: 'FAULT', text: 'fault, cause, or speed at impact' },
];
