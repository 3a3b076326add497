import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { envelope } from '../../src/cli/index.ts'
import {
  cutoverPlanShape,
  cutoverReportShape,
  doctorShape,
  rollbackShape,
  statusShape,
  verbShape,
