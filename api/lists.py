"""Leads, jobs and the ledger of calls are listed here across campaigns."""

from drf_spectacular.utils import extend_schema, extend_schema_view

from api.campaign_serializers import JobSerializer, LeadSerializer, VendorCallSerializer
from api.filters import AllLeadsFilter, JobFilter, VendorCallFilter
from api.frame.views import Listing
from campaigns.models import Job, Lead, VendorCall
from campaigns.permissions import VIEW_CALL, VIEW_JOB, VIEW_LEAD


@extend_schema_view(get=extend_schema(tags=["lists"], operation_id="list_leads"))
class Leads(Listing):
    """Leads of all campaigns, newest first."""

    required = {"GET": VIEW_LEAD}
    queryset = Lead.objects.all()
    serializer_class = LeadSerializer
    filterset_class = AllLeadsFilter
    search_fields = ("email", "first_name", "last_name", "company")


@extend_schema_view(get=extend_schema(tags=["lists"], operation_id="list_jobs"))
class Jobs(Listing):
    """Jobs, newest first: one vendor call each."""

    required = {"GET": VIEW_JOB}
    queryset = Job.objects.all()
    serializer_class = JobSerializer
    filterset_class = JobFilter
    search_fields = ("error",)


@extend_schema_view(get=extend_schema(tags=["lists"], operation_id="list_vendor_calls"))
class VendorCalls(Listing):
    """The ledger: one row per admitted call, newest first."""

    required = {"GET": VIEW_CALL}
    queryset = VendorCall.objects.all()
    serializer_class = VendorCallSerializer
    filterset_class = VendorCallFilter
    search_fields = ("request_id", "error")
    ordering_fields = ("id", "admitted_at")
