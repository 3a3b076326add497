/** One thing that was held against a certificate. `cannot`: it can't be compared any more, and `text` says why. */
export type Finding = {
  kind: 'certificate' | 'journal' | 'plan' | 'file' | 'ends' | 'group' | 'contents'
  where: string
  outcome: 'equal' | 'differs' | 'cannot'
  text: string
}
