import { stayText } from './readers.ts'
import type { State } from './states.ts'

/** The state of a run for people: what it means, and what can be done. */
export const meaningOf = (state: State | undefined): string => {
  switch (state?.at) {
    case undefined:
      return 'it has not begun'
    case 'planned':
    case 'mirroring':
    case 'caught-up':
    case 'verified':
    case 'armed':
      return 'no file is written, no writer was stopped; kmig cutover --execute goes on, kmig cutover abort ends it'
    case 'backing-off':
      return 'writers were let go on, nothing has moved; they are kept off once more by itself, or kmig cutover abort ends it'
    case 'reads-moving':
      return 'readers move to the new cluster, group after group; writers still write to the old one; kmig cutover --execute goes on, kmig cutover abort ends it'
    case 'reads-moved':
      return 'readers have moved; no file is written, no writer was stopped; kmig cutover --execute goes on, kmig cutover abort ends it'
    case 'fencing':
    case 'fenced':
    case 'still':
    case 'drained':
    case 'offsets-set':
    case 'checked':
    case 'sealing':
      return 'no file is written; kmig cutover --execute starts over from here, kmig cutover abort lets the writers go on'
    case 'switching':
    case 'files-written':
    case 'opening':
      return 'files were being written; kmig cutover --execute finishes it, kmig cutover rollback takes it back'
    case 'switched':
    case 'target-live':
    case 'soaking':
      return state.reverse
        ? 'the files name the new cluster; kmig cutover rollback goes back, with what clients wrote there; kmig cutover complete ends that'
        : 'the files name the new cluster; kmig cutover rollback is possible until somebody writes there; kmig cutover complete ends the run'
    case 'completing':
      return 'topics are being given their own settings; run kmig cutover complete again'
    case 'complete':
      return 'it is done; there is no way back by kmig'
    case 'aborting':
      return `it failed (${state.why}) and did not finish putting back; run the same command again`
    case 'aborted':
      return [`it failed and put everything back: ${state.why}`, stayText(state.readers)]
        .filter(Boolean)
        .join('; but ')
    case 'back-fencing':
    case 'back-still':
    case 'back-offsets':
    case 'back-switching':
    case 'back-lossy':
      return 'the way back is unfinished; run kmig cutover rollback again'
    case 'rolled-back':
      return state.undone
        ? 'the files are as they were; the new cluster was gone, and has to be copied to anew'
        : 'the files are as they were; a new cutover can begin'
    default:
      return state satisfies never
  }
}
