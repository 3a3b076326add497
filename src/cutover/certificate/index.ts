export { type CheckPortOptions, checkPort } from './content-check.ts'
export { type Certificate, certificateShape } from './shape.ts'
export { type Written, writeCertificate } from './write.ts'
