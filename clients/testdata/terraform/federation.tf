# An AWS account's trust in Entra, as Terraform makes it: a role for one subject of an issuer, by STS and by an
# identity pool.
variable "name" {}
variable "issuer" {}
variable "audience" {}
variable "subject" {}

provider "aws" {
  region                  = "us-east-1"
  skip_get_ec2_platforms  = true # EC2 is not served
  skip_metadata_api_check = true
}

resource "aws_iam_openid_connect_provider" "entra" {
  url             = var.issuer
  client_id_list  = [var.audience, "second"]
  thumbprint_list = ["6938fd4d98bab03faadb97b34396831e3780aea1"]
}

locals {
  issuer = replace(var.issuer, "https://", "")
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.entra.arn]
    }
    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = [var.audience]
    }
    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:sub"
      values   = [var.subject]
    }
  }
}

resource "aws_iam_role" "app" {
  name                 = var.name
  path                 = "/shop/"
  description          = "for a token of Entra"
  max_session_duration = 7200
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  tags                 = { team = "shop" }
}

resource "aws_iam_policy" "read" {
  name        = "${var.name}-read"
  path        = "/shop/"
  description = "reads roles"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "Read", Effect = "Allow", Action = ["iam:GetRole", "iam:ListRoles"], Resource = "*" }]
  })
}

resource "aws_iam_role_policy_attachment" "read" {
  role       = aws_iam_role.app.name
  policy_arn = aws_iam_policy.read.arn
}

resource "aws_iam_role_policy_attachment" "cognito" {
  role       = aws_iam_role.app.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonCognitoReadOnly"
}

resource "aws_iam_role_policy" "inline" {
  name = "inline"
  role = aws_iam_role.app.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "s3:ListAllMyBuckets", Resource = "*" }]
  })
}

resource "aws_cognito_identity_pool" "pool" {
  identity_pool_name               = replace(var.name, "-", " ")
  allow_unauthenticated_identities = false
  developer_provider_name          = "my.dev.provider"
  openid_connect_provider_arns     = [aws_iam_openid_connect_provider.entra.arn]
  supported_login_providers        = { "accounts.google.com" = "123456789012.apps.googleusercontent.com" }
}

resource "aws_cognito_identity_pool_roles_attachment" "pool" {
  identity_pool_id = aws_cognito_identity_pool.pool.id
  roles            = { "authenticated" = aws_iam_role.app.arn }
  role_mapping {
    identity_provider         = aws_iam_openid_connect_provider.entra.arn
    ambiguous_role_resolution = "AuthenticatedRole"
    type                      = "Rules"
    mapping_rule {
      claim      = "roles"
      match_type = "Contains"
      role_arn   = aws_iam_role.app.arn
      value      = "Orders.Read"
    }
  }
}

output "provider" { value = aws_iam_openid_connect_provider.entra.arn }
output "role" { value = aws_iam_role.app.arn }
output "policy" { value = aws_iam_policy.read.arn }
output "pool" { value = aws_cognito_identity_pool.pool.id }
