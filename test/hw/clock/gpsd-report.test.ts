import { describe, expect, test } from 'vitest';
import { readReport } from '../../../hw/clock/gpsd-report.ts';

/** 2026-11-27T05:52:03.264Z, as gpsd 3.22 wrote the lines below, and 5 ms later. */
const WALL_NS = 1_795_758_723_269_000_000n;
const TPV =
  '{"class":"TPV","device":"/dev/ttyS0","mode":3,"time":"2026-11-27T05:52:03.264Z","ept":0.005,"lat":48.1,"lon":11.5}';
const TOFF =
  '{"class":"TOFF","device":"/dev/ttyS0","real_sec":1795758723, "real_nsec":63000000,"clock_sec":1795758723,"clock_nsec":63472964}';
const PPS =
  '{"class":"PPS","device":"/dev/ttyS0","real_sec":1795758723, "real_nsec":0,"clock_sec":1795758722,"clock_nsec":999998000,"precision":-20}';

test('a fix compares the time of its coming, as uncertain as a receiver’s interval', () => {
  expect(readReport(TPV, WALL_NS)).toEqual({ offsetNs: 5_000_000n, uncertaintyNs: 1_005_000_000n });
});

test('a fix that does not say how exact it is counts as less exact', () => {
  const { uncertaintyNs } = readReport(TPV.replace('"ept":0.005,', ''), WALL_NS) ?? {};
  expect(uncertaintyNs).toBe(2_000_000_000n);
});

test('a sentence was stamped by gpsd, so that the network’s delay does not count', () => {
  expect(readReport(TOFF, WALL_NS + 9_000_000_000n)).toEqual({
    offsetNs: 472_964n,
    uncertaintyNs: 1_000_000_000n,
  });
});

test('a clock that is exactly right is an answer, too', () => {
  expect(readReport(TOFF.replace('63472964', '63000000'), WALL_NS)?.offsetNs).toBe(0n);
});

test('a pulse is as exact as it says, and the wall clock may be behind', () => {
  expect(readReport(PPS, WALL_NS)).toEqual({ offsetNs: -2000n, uncertaintyNs: 954n });
});

describe('nothing about the time', () => {
  test.each([
    ['no JSON', '{"class":"TPV"'],
    ['no object', '"TPV"'],
    ['null', 'null'],
    ['another class', '{"class":"SKY","time":"2026-11-27T05:52:03.264Z"}'],
    ['no fix', TPV.replace('"mode":3', '"mode":1')],
    ['no time', TPV.replace('"time"', '"tim"')],
    ['a time that is none', TPV.replace('2026-11-27', 'yesterday')],
    ['a pulse without its precision', PPS.replace('"precision":-20', '"precision":"x"')],
    ['a pulse of half a second', PPS.replace('999998000', '0.5')],
    ['a sentence without our clock', TOFF.replace('clock_sec', 'clock')],
    ['numbers beyond all times', TOFF.replaceAll('1795758723', '1e300')],
  ])('is in %s', (_what, line) => {
    expect(readReport(line, WALL_NS)).toBeUndefined();
  });
});
