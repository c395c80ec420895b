/** The report for programs: the same keys in the same order for the same report (spec/verification.md, "JSON"). */
import type { CheckResult } from './check.ts';
import type { Report } from './report.ts';

export function reportJson(report: Report): string {
  const ordered = {
    'witnessmark-report': 0,
    warnings: report.warnings,
    policy: report.policy,
    accepted: report.accepted,
    checks: report.checks.map(checkFields),
    facts: report.facts ?? null,
    notProven: report.notProven,
  };
  return `${JSON.stringify(ordered, null, 2)}\n`;
}

function checkFields({ code, verdict, reason, required, detail, values, spec }: CheckResult) {
  return {
    code,
    verdict,
    ...(reason === undefined ? {} : { reason }),
    required,
    detail,
    ...(values === undefined ? {} : { values }),
    spec,
  };
}
