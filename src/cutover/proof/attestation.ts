/** What was proved is taken for true so long, and no longer than its process lives. Source: CUTOVER.md 5. */
export const ATTESTATION_MS = 60_000

/** Whether a proof may still be acted on. A wall clock that was set back makes it old. */
export const isFresh = ({ toMs }: { toMs: number }, wallMs: number): boolean =>
  wallMs >= toMs && wallMs - toMs < ATTESTATION_MS
