// Reads typed records of completions. It compiles only if the generated types say what they are.
import type { PinwheelPaystubsCompletion } from "./types/completions.pinwheel.paystubs.v1.js";
import type { PinwheelVerificationReportsCompletion } from "./types/completions.pinwheel.verification_reports.v1.js";
import type { WagewireCompletionVersion1 } from "./types/completion.v1.js";
import type { WagewireNormalisedRecordVersion1 } from "./types/normal.v1.js";
import type { TruvLinkCompletion } from "./types/completions.truv.link.v1.js";

type Optional<T> = T | null | undefined;

export function grossPay(completion: PinwheelPaystubsCompletion): Optional<number> {
  const amount: Optional<number> = completion.data.records?.[0]?.gross_pay_amount;
  return amount;
}

export function taxes(completion: PinwheelPaystubsCompletion): Optional<string>[] {
  const provider: "pinwheel" = completion.data.provider;
  return [provider, ...(completion.data.records?.[0]?.taxes ?? []).map((tax) => tax.category)];
}

export function employers(completion: PinwheelVerificationReportsCompletion): Optional<string>[] {
  return (completion.data.records ?? []).flatMap((report) =>
    (report.employments ?? []).map((employment) => employment.employer_name),
  );
}

export function products(completion: TruvLinkCompletion): Optional<string[]> {
  return completion.data.records?.[0]?.allowed_products;
}

export function netPay(record: WagewireNormalisedRecordVersion1): Optional<number> {
  const kinds: Optional<string>[] = (record.paystub?.taxes ?? []).map((tax) => tax.category?.kind);
  return kinds.length === 0 ? undefined : record.paystub?.net_pay?.minor;
}

export function untyped(completion: WagewireCompletionVersion1): unknown {
  // @ts-expect-error The general schema says nothing of the records.
  const amount: Optional<number> = completion.data.records?.[0]?.gross_pay_amount;
  return amount;
}
